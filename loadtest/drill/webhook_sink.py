"""A local HTTP server that receives Alertmanager's notifications, or rejects them."""

from __future__ import annotations

import http.server
import json
import threading
from types import TracebackType

from loadtest.drill.programs import HOST
from loadtest.drill.received_alerts import ReceivedAlerts


class WebhookSink:
    """Accept Alertmanager's messages on any path and store their alerts in ``received``."""

    def __init__(self) -> None:
        self.received = ReceivedAlerts()
        self._rejected_paths: set[str] = set()
        self._server = http.server.ThreadingHTTPServer((HOST, 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Its URL, without a trailing slash."""
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

    def reject(self, path: str) -> None:
        """Answer requests to a path with an error, until ``accept``."""
        self._rejected_paths.add(path)

    def accept(self, path: str) -> None:
        """Accept requests to a path again."""
        self._rejected_paths.discard(path)

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        """Create the request handler class."""
        received, rejected_paths = self.received, self._rejected_paths

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Record the message, unless its path is rejected."""
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                # Alertmanager retries after a 5xx, but counts a 4xx as a failure immediately.
                is_rejected = self.path in rejected_paths
                if not is_rejected:
                    received.record(body)
                self.send_response(400 if is_rejected else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Log nothing."""

        return Handler
