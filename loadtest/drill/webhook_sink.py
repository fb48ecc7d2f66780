"""An HTTP server on the loopback address that hears what Alertmanager tells, or refuses to listen."""

from __future__ import annotations

import http.server
import json
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.programs import HOST

Status = Literal["firing", "resolved"]


@dataclass(frozen=True)
class Delivery:
    """One alert of one message.

    Parameters
    ----------
    at
        When it came, in seconds of ``time.monotonic``.
    rule
        Where the alert comes from.
    status
        Whether it was told to fire or to be over.
    """

    at: float
    rule: AlertRule
    status: Status


class WebhookSink:
    """Takes Alertmanager's messages on any path, and keeps what they tell."""

    def __init__(self) -> None:
        self._deliveries: list[Delivery] = []
        self._refused_paths: set[str] = set()
        self._server = http.server.ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> WebhookSink:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def refuse(self, path: str) -> None:
        """Answer whatever comes to a path with an error, until ``listen``."""
        self._refused_paths.add(path)

    def listen(self, path: str) -> None:
        """Take what comes to a path again."""
        self._refused_paths.discard(path)

    def told_at(self, rule: AlertRule, status: Status, since: float) -> float | None:
        """Tell when alerts of a rule were first told to have a status.

        Parameters
        ----------
        rule, status
            What is looked for.
        since
            The earliest time that counts, in seconds of ``time.monotonic``.
        """
        return min(
            (
                told.at
                for told in list(self._deliveries)
                if (told.rule, told.status) == (rule, status) and told.at >= since
            ),
            default=None,
        )

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        """Make the class that answers a request."""
        deliveries, refused_paths = self._deliveries, self._refused_paths

        class Keeper(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Keep what the message tells, unless its path is refused."""
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                # Alertmanager tries again after a 5xx, and counts a failure at once after a 4xx.
                status = 400 if self.path in refused_paths else 200
                if status == 200:
                    now = time.monotonic()
                    deliveries.extend(
                        Delivery(now, AlertRule.of_labels(alert["labels"]), alert["status"]) for alert in body["alerts"]
                    )
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Keeper
