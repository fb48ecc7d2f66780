"""A stand-in for whoever wants to be told: prints the alerts that Alertmanager sends. Runs in a container."""

from __future__ import annotations

import http.server
import json


class Sink(http.server.BaseHTTPRequestHandler):
    """Prints one line for each alert: its status and its name."""

    def do_POST(self) -> None:
        """Take a message of Alertmanager's webhook."""
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in message["alerts"]:
            print(alert["status"], alert["labels"]["alertname"], flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Say nothing else."""


if __name__ == "__main__":
    http.server.HTTPServer(("0.0.0.0", 8080), Sink).serve_forever()
