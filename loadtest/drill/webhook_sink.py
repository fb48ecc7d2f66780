"""An HTTP server on the loopback address that hears what Alertmanager tells, or refuses to listen."""

from __future__ import annotations

import http.server
import json
import threading
from types import TracebackType

from loadtest.drill.heard_alerts import HeardAlerts
from loadtest.drill.programs import HOST


class WebhookSink:
    """Takes Alertmanager's messages on any path.

    ``heard`` keeps what they tell.
    """

    def __init__(self) -> None:
        self.heard = HeardAlerts()
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

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        """Make the class that answers a request."""
        heard, refused_paths = self.heard, self._refused_paths

        class Keeper(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Keep what the message tells, unless its path is refused."""
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                # Alertmanager tries again after a 5xx, and counts a failure at once after a 4xx.
                is_refused = self.path in refused_paths
                if not is_refused:
                    heard.take(body)
                self.send_response(400 if is_refused else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Keeper
