"""The image's health check asks the service where ``BIND`` says it listens."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.server.health_check import problem

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def answering(listener: socket.socket, status: str = "200 OK") -> Iterator[list[bytes]]:
    """Answer one request, and collect its first line."""
    requests: list[bytes] = []

    def answer() -> None:
        client, _ = listener.accept()
        with client:
            requests.append(client.recv(1000).partition(b"\r\n")[0])
            client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    listener.listen()
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    with listener:
        yield requests
        thread.join(5)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", ""])
def test_port_is_asked(host: str):
    """A wildcard through the loopback address, and the first of several addresses."""
    listener = socket.create_server(("127.0.0.1", 0))
    with answering(listener) as requests:
        bind = f"{host}:{listener.getsockname()[1]},127.0.0.1:1"
        assert problem({"BIND": bind}) == ""

    assert requests == [b"GET /healthz HTTP/1.1"]


@pytest.mark.parametrize("prefix", ["unix:", "unix://"])
def test_unix_socket_is_asked(tmp_path: Path, prefix: str):
    """By the program as the image runs it, below the path at which a proxy serves the application."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    with answering(listener) as requests:
        checked = subprocess.run(
            [sys.executable, "-P", "app/server/health_check.py"],
            cwd=ROOT,
            env={"BIND": f"{prefix}{tmp_path}/s", "SCRIPT_NAME": "/models"},
            capture_output=True,
            text=True,
        )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert requests == [b"GET /models/healthz HTTP/1.1"]


@pytest.mark.parametrize("bind", ["127.0.0.1:1", "unix:/nowhere/s", "nonsense"])
def test_service_that_does_not_answer_is_reported(bind: str):
    """With its address, which is what is wrong most often."""
    assert problem({"BIND": bind}).startswith(f"BIND={bind} does not answer: ")


def test_other_status_is_reported():
    """A service that answers with an error is not healthy."""
    listener = socket.create_server(("127.0.0.1", 0))
    bind = f"127.0.0.1:{listener.getsockname()[1]}"
    with answering(listener, "503 Service Unavailable"):
        assert problem({"BIND": bind}) == f"BIND={bind} answers /healthz with 503"


def test_image_uses_it():
    """The Dockerfile names no address of its own."""
    [check] = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if "health_check" in line]

    assert check.split(maxsplit=1)[1] == '["python", "-P", "app/server/health_check.py"]'
