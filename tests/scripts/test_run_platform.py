"""Errors of `make up`, and the addresses that it prints."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import run_platform
from scripts.compose import PublishedPort, StepFailed, compose, ports_of
from scripts.run_platform import addresses

ROOT = Path(__file__).resolve().parents[2]


def _up(path: Path) -> subprocess.CompletedProcess[str]:
    """Run the command of `make up` with only these programs on PATH."""
    return subprocess.run(
        [sys.executable, "-m", "scripts.run_platform", "up"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        timeout=60,
    )


def _fake_docker(folder: Path, script: str) -> None:
    """Write a fake docker into a folder."""
    (folder / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "docker").chmod(0o755)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("", "docker is not installed"),
        ("echo Cannot connect >&2; exit 1", "Docker does not answer (Cannot connect)"),
        ('[ "$1" = info ]', "Docker has no Compose"),
        ('[ "$1" = info ] || echo 2.20.3', "Docker Compose 2.20.3 is too old: install 2.24 or newer."),
    ],
)
def test_unsuitable_docker_is_reported_in_one_line(tmp_path: Path, script: str, sentence: str):
    """Before anything is created."""
    if script:
        _fake_docker(tmp_path, script)
    done = _up(tmp_path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert sentence in done.stderr


def test_output_of_docker_is_shown_if_a_step_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd):
    """Its end; otherwise one line a step, as a build prints hundreds."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    _fake_docker(tmp_path, 'seq 100 >&2; [ "$3" = good ]')

    compose("Building", "build", "good")
    assert capfd.readouterr() == ("Building ...\n", "")
    with pytest.raises(StepFailed, match="Building failed"):
        compose("Building", "build", "bad")
    assert capfd.readouterr().err.split() == [str(number) for number in range(71, 101)]


def _published(port: int, target: int, address: str = "127.0.0.1") -> list[PublishedPort]:
    """Return what Compose publishes for Caddy."""
    return [PublishedPort(address, port, target)]


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Return a port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_taken_port_is_reported_before_anything_is_built(monkeypatch: pytest.MonkeyPatch, taken_port: int):
    """With the setting that chooses another, if there is one; the ports of a running platform are its own."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setattr(run_platform, "succeeds", lambda *arguments: False)
    monkeypatch.setattr(run_platform, "ports_of", lambda service: _published(taken_port, 9090))
    with pytest.raises(
        StepFailed, match=rf"Port {taken_port} of 127\.0\.0\.1 is taken.*PROMETHEUS_PORT={taken_port + 1}"
    ):
        run_platform.require_free_ports()

    monkeypatch.setattr(run_platform, "ports_of", lambda service: _published(taken_port, 443))
    with pytest.raises(StepFailed, match=r"listens there, then run make up again"):
        run_platform.require_free_ports()

    monkeypatch.setattr(run_platform, "ports_of", lambda service: _published(taken_port, 9090, "192.0.2.1"))
    with pytest.raises(StepFailed, match="BIND_ADDRESS"):
        run_platform.require_free_ports()

    monkeypatch.setattr(run_platform, "ports_of", lambda service: _published(0, 9090))
    run_platform.require_free_ports()
    monkeypatch.setattr(run_platform, "succeeds", lambda *arguments: True)
    monkeypatch.setattr(run_platform, "ports_of", lambda service: _published(taken_port, 9090))
    run_platform.require_free_ports()


def test_published_ports_are_read_from_the_resolved_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Only TCP; without an address, all addresses."""
    ports = [
        {"published": "8001", "target": 8000, "protocol": "tcp", "host_ip": "127.0.0.1"},
        {"published": "443", "target": 443, "protocol": "tcp"},
        {"published": "443", "target": 443, "protocol": "udp"},
    ]
    _fake_docker(tmp_path, f"echo '{json.dumps({'services': {'caddy': {'ports': ports}}})}'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    assert ports_of("caddy") == [PublishedPort("127.0.0.1", 8001, 8000), PublishedPort("0.0.0.0", 443, 443)]


def test_addresses_follow_the_settings():
    """Chosen ports, an address of this machine, or a site."""
    here = addresses({"ADMIN_USER": "eva", "BIND_ADDRESS": "0.0.0.0", "SERVICE_PORT": "8001"})
    assert "http://127.0.0.1:8001/" in here
    assert "http://127.0.0.1:3000/" in here
    assert "The user is eva" in here
    assert str(ROOT / "secrets" / "feedback_api_keys") in here
    assert f"{ROOT / 'secrets' / 'api_keys'} " in here

    site = addresses({"ADMIN_USER": "eva", "SITE_ADDRESS": "example.org"})
    assert "https://example.org/prometheus/" in site
    assert "127.0.0.1" not in site
