"""A real HTTP server on the loopback address that keeps what Alertmanager sends to it."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

# Deliveries come within a second; a loaded machine may need many times that.
DELIVERY_SECONDS = 60


class WebhookSink:
    """Takes every POST, whatever its path, and keeps its JSON body.

    Examples
    --------
    >>> import requests
    >>> with WebhookSink() as sink:
    ...     _ = requests.post(f"{sink.url}/urgent", json={"alerts": [{"status": "firing", "labels": {"job": "x"}}]})
    ...     sink.alerts("/urgent")
    [{'status': 'firing', 'labels': {'job': 'x'}}]
    """

    def __init__(self) -> None:
        self.deliveries: list[tuple[str, dict[str, Any]]] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> WebhookSink:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """Give the bodies that came to a path, in their order."""
        return [body for where, body in list(self.deliveries) if where == path]

    def alerts(self, path: str) -> list[dict[str, Any]]:
        """Give the alerts of Alertmanager's own webhook format that came to a path; repeated ones each time."""
        return [alert for body in self.bodies(path) for alert in body["alerts"]]

    def names(self, path: str, status: str = "firing") -> set[str]:
        """Name the alerts that came to a path with a status, ``firing`` or ``resolved``."""
        return {alert["labels"]["alertname"] for alert in self.alerts(path) if alert["status"] == status}

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Look again and again until ``condition()`` holds; fail with what came until then."""
        deadline = time.monotonic() + DELIVERY_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"waited in vain for {what}; what came: {self.deliveries}"
            time.sleep(0.05)

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        """Make the class that answers a request by keeping its body."""
        deliveries = self.deliveries

        class Keeper(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Keep the body and say that it came."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                deliveries.append((self.path, json.loads(body)))
                # The answer of Slack's webhooks, which the others do not look at.
                answer = b"ok"
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Keeper
