"""Start a command when Alertmanager reports that ``RetrainingNeeded`` fires: ``retrain_on_alert.py -- COMMAND``.

Nothing in this repository starts it; docs/retraining.md explains the setup. It needs only Python's standard library.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

_ALERT = "RetrainingNeeded"

# Alertmanager's messages are a few kilobytes long.
_MAX_BYTES = 1_000_000

# Alertmanager gives up after ten seconds; a silent connection must not block it for longer.
_READ_SECONDS = 10


class Command:
    """A command to start, one at a time and not too often.

    Parameters
    ----------
    arguments
        The program and its arguments.
    pause_seconds
        Minimum time between two starts: Alertmanager repeats an alert until its cause is gone.
    clock
        Monotonic clock, in seconds.
    """

    def __init__(
        self, arguments: Sequence[str], pause_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._arguments, self._pause_seconds, self._clock = list(arguments), pause_seconds, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -float("inf")

    def start(self) -> str:
        """Start the command unless it is running or was started recently; return what happened."""
        if self._process is not None and self._process.poll() is None:
            return "it is running"
        if self._clock() - self._started < self._pause_seconds:
            return "it was started recently"
        self._process = subprocess.Popen(self._arguments, stdin=subprocess.DEVNULL)
        self._started = self._clock()
        return "started"


def is_wanted(message: object) -> bool:
    """Return whether a message of Alertmanager contains the firing alert.

    Examples
    --------
    >>> is_wanted({"alerts": [{"status": "firing", "labels": {"alertname": "RetrainingNeeded"}}]})
    True
    >>> is_wanted({"alerts": [{"status": "resolved", "labels": {"alertname": "RetrainingNeeded"}}]})
    False
    """
    try:
        alerts = [(alert["status"], alert["labels"]["alertname"]) for alert in message["alerts"]]  # type: ignore[index]
    except (KeyError, TypeError):
        return False
    return ("firing", _ALERT) in alerts


def make_server(port: int, command: Command) -> HTTPServer:
    """Listen on the loopback address; port 0 chooses a free one."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _READ_SECONDS

        def do_POST(self) -> None:
            """Handle a message."""
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _MAX_BYTES:
                self.send_error(HTTPStatus.BAD_REQUEST)
                return
            try:
                message = json.loads(self.rfile.read(int(length)))
            except ValueError:
                self.send_error(HTTPStatus.BAD_REQUEST)
                return
            result = command.start() if is_wanted(message) else f"{_ALERT} does not fire"
            print(result, flush=True)
            self.send_response(HTTPStatus.OK)
            self.end_headers()
            self.wfile.write(f"{result}\n".encode())

    return HTTPServer(("127.0.0.1", port), Handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Listen until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=9080, help="port on the loopback address (%(default)s)")
    parser.add_argument("--pause-hours", type=float, default=24.0, help="minimum time between two starts (%(default)s)")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="the command to start, after --")
    options = parser.parse_args(arguments)
    with make_server(options.port, Command(options.command, options.pause_hours * 3600)) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
