"""A webhook receiver that prints the alerts that Alertmanager sends. Runs in a container."""

from __future__ import annotations

import http.server
import json


class Sink(http.server.BaseHTTPRequestHandler):
    """Prints one line for each alert, with status and name."""

    def do_POST(self) -> None:
        """Handle a notification in Alertmanager's webhook format."""
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in message["alerts"]:
            print(alert["status"], alert["labels"]["alertname"], flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Suppress request logging."""


if __name__ == "__main__":
    http.server.HTTPServer(("0.0.0.0", 8080), Sink).serve_forever()
