"""An echo server that replaces every program behind Caddy. Runs in a container, on the ports of all of them."""

from __future__ import annotations

import http.server
import json
import threading

PORTS = (8000, 9090, 9093, 3000, 8888, 8089)

# Names of requests whose connection was closed once without a response.
interrupted: set[str] = set()


class Echo(http.server.BaseHTTPRequestHandler):
    """Responds with the port, path, headers and body of the request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Respond; the first request with each X-Interrupt value gets no response."""
        is_chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if is_chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self.headers.get("X-Interrupt")
        if name and name not in interrupted:
            interrupted.add(name)
            self.close_connection = True
            return
        received = {
            "port": self.connection.getsockname()[1],
            "path": self.path,
            "headers": {key.lower(): value for key, value in self.headers.items()},
            "body": body.decode(),
            "bytes": len(body),
        }
        text = json.dumps(received).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST  # noqa: N815 names of the base class

    def _chunks(self) -> bytes:
        """Read a chunked body."""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *arguments: object) -> None:
        """Suppress request logging."""


if __name__ == "__main__":
    for port in PORTS:
        server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Echo)
        threading.Thread(target=server.serve_forever).start()
