"""The health check of the image: whether the service at ``BIND`` is alive.

Run as a file, it loads nothing but the standard library, because it runs every few seconds.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Mapping
from contextlib import closing

_DEFAULT_BIND = "127.0.0.1:8000"

# How a wildcard is reached on this host.
_LOCAL_ADDRESSES = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}

# Less than the three seconds after which Docker gives up, so that the reason is printed.
_ANSWER_SECONDS = 2.0


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection to a Unix socket."""

    def __init__(self, file: str) -> None:
        super().__init__("localhost", timeout=_ANSWER_SECONDS)
        self._file = file

    def connect(self) -> None:
        """Connect to the file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_ANSWER_SECONDS)
        self.sock.connect(self._file)


def open_connection(bind: str) -> http.client.HTTPConnection:
    """Return a connection to the first address that Gunicorn listens on; it is opened at its first use.

    Parameters
    ----------
    bind
        ``host:port`` or ``unix:file``, or several with commas between them.

    Examples
    --------
    >>> connection = open_connection("[::]:8500,unix:/run/isowatch.sock")
    >>> connection.host, connection.port
    ('::1', 8500)
    """
    first = bind.split(",")[0].strip()
    if first.startswith("unix:"):
        return _UnixConnection(first.removeprefix("unix:").removeprefix("//"))
    host, _, port = first.rpartition(":")
    host = host.strip("[]")
    return http.client.HTTPConnection(_LOCAL_ADDRESSES.get(host, host), int(port), timeout=_ANSWER_SECONDS)


def problem(environ: Mapping[str, str] = os.environ) -> str:
    """Request ``/healthz``; return why that failed, and an empty text if it did not."""
    bind = environ.get("BIND", "").strip() or _DEFAULT_BIND
    try:
        with closing(open_connection(bind)) as connection:
            connection.request("GET", f"{environ.get('SCRIPT_NAME', '')}/healthz")
            status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"BIND={bind} does not answer: {error}"
    return "" if status == http.client.OK else f"BIND={bind} answers /healthz with {status}"


if __name__ == "__main__":
    sys.exit(problem() or None)
