"""A stand-in for every program behind the door: it tells what reached it. Runs in a container, on all their ports."""

from __future__ import annotations

import http.server
import json
import threading

PORTS = (8000, 9090, 9093, 3000, 8888, 8089)

# Requests that were cut off once, by the name that they carry.
cut_off: set[str] = set()


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with the port, path, headers and body that it got."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Tell; a request with X-Cut-Off is cut off without an answer the first time it comes."""
        is_chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = self._chunks() if is_chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self.headers.get("X-Cut-Off")
        if name and name not in cut_off:
            cut_off.add(name)
            self.close_connection = True
            return
        told = {
            "port": self.connection.getsockname()[1],
            "path": self.path,
            "headers": {key.lower(): value for key, value in self.headers.items()},
            "body": body.decode(),
            "bytes": len(body),
        }
        text = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST  # noqa: N815 the base class has these names

    def _chunks(self) -> bytes:
        """Read a body in chunks."""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    for port in PORTS:
        server = http.server.ThreadingHTTPServer(("0.0.0.0", port), Echo)
        threading.Thread(target=server.serve_forever).start()
