"""Log lines are buffered, written in pieces that a pipe takes whole, and never lost."""

from __future__ import annotations

import json
import os
import re
import threading

import pytest

from app.web.access_log import RequestLog


def _written(log: RequestLog, reading: int) -> list[bytes]:
    """Flush the log, and return what was written, piece by piece."""
    os.set_blocking(reading, False)
    log.flush()
    pieces = []
    while True:
        try:
            pieces.append(os.read(reading, 1_000_000))
        except BlockingIOError:
            return pieces


@pytest.fixture
def pipe():
    """Both ends of a pipe."""
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_lines_wait_for_the_flush(pipe):
    """A request by itself writes nothing."""
    log = RequestLog(as_text=False, file=pipe[1])
    log.add("a1", "GET", "/healthz", 200, 0.00123)
    os.set_blocking(pipe[0], False)
    with pytest.raises(BlockingIOError):
        os.read(pipe[0], 1)

    (line,) = b"".join(_written(log, pipe[0])).splitlines()
    assert json.loads(line) | {"time": ""} == {
        "time": "",
        "level": "info",
        "logger": "isowatch.request",
        "message": "GET /healthz 200 1.23 ms",
        "request_id": "a1",
        "method": "GET",
        "route": "/healthz",
        "status": 200,
        "milliseconds": 1.23,
    }
    assert _written(log, pipe[0]) == []


def test_text_format_is_for_people(pipe):
    """On a terminal, a line looks like all other log lines."""
    log = RequestLog(as_text=True, file=pipe[1])
    log.add("a1", "GET", "/healthz", 200, 0.0012)

    (line,) = b"".join(_written(log, pipe[0])).decode().splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d [\d:]{8},\d{3} INFO    isowatch.request: GET /healthz 200 1.2 ms \(a1\)", line
    )


def test_lines_are_never_cut(tmp_path, monkeypatch):
    """Each write ends with a line, and is no longer than a pipe takes in one piece."""
    pieces: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda file, piece: pieces.append(piece))
    log = RequestLog(as_text=False)
    for number in range(500):
        log.add(f"id-{number}", "GET", "/healthz", 200, 0.001)
    log.flush()

    assert len(pieces) > 5
    assert all(len(piece) <= 4096 and piece.endswith(b"}\n") for piece in pieces)
    numbers = [json.loads(line)["request_id"] for line in b"".join(pieces).splitlines()]
    assert numbers == [f"id-{number}" for number in range(500)]


def test_threads_lose_nothing(monkeypatch):
    """Lines that are added during a flush are written by the next one."""
    pieces: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda file, piece: pieces.append(piece))
    log = RequestLog(as_text=False)

    def add() -> None:
        for _ in range(2000):
            log.add("a1", "GET", "/healthz", 200, 0.001)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        log.flush()
    log.flush()

    assert len(b"".join(pieces).splitlines()) == 8000
