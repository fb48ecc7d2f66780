"""Starts a command when Alertmanager tells that ``RetrainingNeeded`` fires: ``retrain_on_alert.py -- COMMAND``.

Nothing in this repository starts it; docs/retraining.md says how it is set up. Python's own library is all that it
takes.
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

# Alertmanager's messages have some kilobytes.
_MOST_BYTES = 1_000_000

# Alertmanager gives up after ten seconds by itself; whoever connects and says nothing shall not keep it out for longer.
_READ_SECONDS = 10


class Command:
    """Something to start, one at a time and not too often.

    Parameters
    ----------
    arguments
        The program and its arguments.
    pause_seconds
        After a start, no other follows for so long: an alert is told again until its reason has gone.
    clock
        Seconds that never go back.
    """

    def __init__(
        self, arguments: Sequence[str], pause_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._arguments, self._pause_seconds, self._clock = list(arguments), pause_seconds, clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -float("inf")

    def start(self) -> str:
        """Start, unless it runs or was started a short while ago; say which."""
        if self._process is not None and self._process.poll() is None:
            return "it is running"
        if self._clock() - self._started < self._pause_seconds:
            return "it was started a short while ago"
        self._process = subprocess.Popen(self._arguments, stdin=subprocess.DEVNULL)
        self._started = self._clock()
        return "started"


def is_wanted(message: object) -> bool:
    """Tell whether a message of Alertmanager holds the alert, and it fires.

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
    """Listen on the loopback address; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _READ_SECONDS

        def do_POST(self) -> None:
            """Take a message."""
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > _MOST_BYTES:
                self.send_error(HTTPStatus.BAD_REQUEST)
                return
            try:
                message = json.loads(self.rfile.read(int(length)))
            except ValueError:
                self.send_error(HTTPStatus.BAD_REQUEST)
                return
            said = command.start() if is_wanted(message) else f"{_ALERT} does not fire"
            print(said, flush=True)
            self.send_response(HTTPStatus.OK)
            self.end_headers()
            self.wfile.write(f"{said}\n".encode())

    return HTTPServer(("127.0.0.1", port), Handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Listen until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=9080, help="on the loopback address (%(default)s)")
    parser.add_argument(
        "--pause-hours", type=float, default=24.0, help="the least time from one start to the next (%(default)s)"
    )
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to start, behind --")
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
