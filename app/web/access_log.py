"""One log line a request: id, method, route, status and milliseconds.

Lines are collected and written a few times a second, because formatting and writing each one by itself takes longer
than scoring a row. A line of an error (5xx) is written at once, with all before it.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

# Longer waits would make a log look stuck to whoever follows it.
FLUSH_SECONDS = 0.5

# What a pipe takes in one piece (PIPE_BUF of POSIX systems): lines of several workers do not run into each other.
_PIECE_BYTES = 4096

# About as many lines as half a second brings at full speed; more are written before they fill the memory.
_MOST_LINES = 2000

_LOGGER = "isowatch.request"


class _Line(NamedTuple):
    """What there is to say of one request."""

    time: float
    request_id: str
    method: str
    route: str
    status: int
    milliseconds: float


class RequestLog:
    """Collects lines and writes them.

    Parameters
    ----------
    as_text
        Write for people instead of as JSON.
    file
        File descriptor to write to; standard error by default.

    Examples
    --------
    >>> import sys
    >>> log = RequestLog(as_text=True, file=1)
    >>> log.add("7f3e", "GET", "/healthz", 200, 0.0012)
    >>> log.flush()  # doctest: +SKIP
    2026-11-21 07:36:57,000 INFO    isowatch.request: GET /healthz 200 1.2 ms (7f3e)
    """

    def __init__(self, as_text: bool, file: int = 2) -> None:
        self._format = _as_text if as_text else _as_json
        self._file = file
        self._lines: list[_Line] = []
        self._writing = threading.Lock()

    def add(self, request_id: str, method: str, route: str, status: int, seconds: float) -> None:
        """Note a request that was answered."""
        self._lines.append(_Line(time.time(), request_id, method, route, status, round(seconds * 1000, 3)))
        if status >= 500 or len(self._lines) >= _MOST_LINES:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        with self._writing:
            # The list stays the same one: a thread may be about to append to it.
            lines = self._lines[:]
            del self._lines[: len(lines)]
            piece = b""
            for line in lines:
                formatted = self._format(line)
                if len(piece) + len(formatted) > _PIECE_BYTES:
                    os.write(self._file, piece)
                    piece = b""
                piece += formatted
            if piece:
                os.write(self._file, piece)


class NoRequestLog(RequestLog):
    """Collects nothing, for a service that shall not log its requests."""

    def __init__(self) -> None:
        super().__init__(as_text=True)

    def add(self, request_id: str, method: str, route: str, status: int, seconds: float) -> None:
        """Forget a request that was answered."""


def _as_json(line: _Line) -> bytes:
    """Lay a line out as ``app.server.log_config.JSONFormatter`` does."""
    fields = {
        "time": datetime.fromtimestamp(line.time, UTC).isoformat(timespec="milliseconds"),
        "level": "info",
        "logger": _LOGGER,
        "message": f"{line.method} {line.route} {line.status} {line.milliseconds} ms",
        "request_id": line.request_id,
        "method": line.method,
        "route": line.route,
        "status": line.status,
        "milliseconds": line.milliseconds,
    }
    return msgspec.json.encode(fields) + b"\n"


def _as_text(line: _Line) -> bytes:
    """Lay a line out as the other text lines are."""
    moment = f"{datetime.fromtimestamp(line.time):%Y-%m-%d %H:%M:%S},{int(line.time * 1000) % 1000:03d}"
    words = f"{line.method} {line.route} {line.status} {line.milliseconds} ms ({line.request_id})"
    return f"{moment} INFO    {_LOGGER}: {words}\n".encode()
