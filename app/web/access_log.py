"""The access log: one line per request with its id, method, route, status and milliseconds.

Lines are buffered and written a few times a second, because formatting and writing each line by itself takes longer
than scoring a row. The line of a server error (5xx) is written at once, after all lines before it.
"""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec

from app.records.timestamps import format_timestamp

# With longer pauses, a log would look stuck to people who follow it.
FLUSH_SECONDS = 0.5

# PIPE_BUF of POSIX systems: a pipe takes this much in one piece, so lines of several workers do not mix.
_MAX_WRITE_BYTES = 4096

# About the number of lines in half a second at full speed; the buffer is written before it grows further.
_MAX_BUFFERED_LINES = 2000

_LOGGER = "isowatch.request"


class _Line(NamedTuple):
    """One request."""

    time: float
    request_id: str
    method: str
    route: str
    status: int
    milliseconds: float


class RequestLog:
    """Buffers lines and writes them.

    Parameters
    ----------
    as_text
        Write text for people instead of JSON.
    file
        File descriptor to write to; standard error by default.

    Examples
    --------
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
        """Add the line of a request that was answered."""
        self._lines.append(_Line(time.time(), request_id, method, route, status, round(seconds * 1000, 3)))
        if status >= 500 or len(self._lines) >= _MAX_BUFFERED_LINES:
            self.flush()

    def flush(self) -> None:
        """Write the buffered lines."""
        with self._writing:
            # The list object stays the same: another thread may be about to append to it.
            lines = self._lines[:]
            del self._lines[: len(lines)]
            piece = b""
            for line in lines:
                formatted = self._format(line)
                if len(piece) + len(formatted) > _MAX_WRITE_BYTES:
                    os.write(self._file, piece)
                    piece = b""
                piece += formatted
            if piece:
                os.write(self._file, piece)


def _as_json(line: _Line) -> bytes:
    """Serialize a line with the fields of ``app.server.json_log.JSONFormatter``."""
    fields = {
        "time": _format_time(line.time),
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


def _format_time(seconds: float) -> str:
    """Return the same as ``format_timestamp``; the part that most lines of a second share is formatted once."""
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_format_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=4)
def _format_second(seconds: int) -> str:
    """Return a timestamp up to its second."""
    return format_timestamp(seconds).partition(".")[0]


def _as_text(line: _Line) -> bytes:
    """Serialize a line in the format of all other text log lines, in local time."""
    timestamp = f"{datetime.fromtimestamp(line.time):%Y-%m-%d %H:%M:%S},{int(line.time * 1000) % 1000:03d}"
    message = f"{line.method} {line.route} {line.status} {line.milliseconds} ms ({line.request_id})"
    return f"{timestamp} INFO    {_LOGGER}: {message}\n".encode()
