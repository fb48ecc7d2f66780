"""An HTTP server on the loopback address that stores the notifications of Alertmanager."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

# Deliveries usually take a second, and many times that on a busy machine.
DELIVERY_SECONDS = 60


class WebhookSink:
    """Stores the JSON body of every POST request, for any path.

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
        """Its address, without a trailing slash."""
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
        """Return the bodies received at a path, in order."""
        return [body for received_at, body in list(self.deliveries) if received_at == path]

    def alerts(self, path: str) -> list[dict[str, Any]]:
        """Return the alerts received at a path in Alertmanager's webhook format, including repeated ones."""
        return [alert for body in self.bodies(path) for alert in body["alerts"]]

    def names(self, path: str, status: str = "firing") -> set[str]:
        """Return the names of alerts received at a path with a status, ``firing`` or ``resolved``."""
        return {alert["labels"]["alertname"] for alert in self.alerts(path) if alert["status"] == status}

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Wait until ``condition()`` is true, or fail and show what was received."""
        deadline = time.monotonic() + DELIVERY_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"timed out waiting for {what}; received: {self.deliveries}"
            time.sleep(0.05)

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        """Return a request handler class that stores bodies."""
        deliveries = self.deliveries

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Store the body and acknowledge it."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                deliveries.append((self.path, json.loads(body)))
                # What Slack's webhooks respond; the other integrations ignore it.
                answer = b"ok"
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: object) -> None:
                """Suppress request logging."""

        return Handler
