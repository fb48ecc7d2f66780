"""Send any bytes to a service, and read its answers one by one: HTTP libraries refuse to send what attackers send."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import psutil

from tests.system.running_service import RunningService

ROW = {"feature_vector": [0.56, 0.23]}

# A service that neither answers nor closes fails a test after this time; every deadline in the tests is far shorter.
SECONDS = 15


class NotClosed(AssertionError):
    """The service kept a connection open that it should have closed."""


@dataclass(frozen=True)
class Answer:
    """One response; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def request_id(self) -> str:
        """Id of the request that was answered."""
        return self.headers.get("x-request-id", "")


class Connection:
    """A connection to a service.

    Parameters
    ----------
    service
        The service.
    receive_buffer
        Bytes that the kernel receives before it asks the service to wait; by default what the kernel chooses.
    """

    def __init__(self, service: RunningService, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(SECONDS)
        try:
            self._socket.connect(("127.0.0.1", port_of(service)))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._data = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes; if the service has closed already, its answer can still be read."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(data)

    def finish_sending(self) -> None:
        """Close the sending half, as `nc -N` does."""
        with suppress(OSError):  # the service has closed already
            self._socket.shutdown(socket.SHUT_WR)

    def ask(self, request: bytes, method: str = "POST") -> Answer:
        """Send a request and return its answer."""
        self.send(request)
        answer = self.read(method)
        assert answer is not None, "the connection was closed without an answer"
        return answer

    def read(self, method: str = "POST") -> Answer | None:
        """Read one answer to a request with this method; None if the service has closed the connection."""
        head = self._read_until(b"\r\n\r\n")
        if head is None:
            return None
        status_line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        status = int(status_line.split()[1])
        return Answer(status, headers, self._read_body(status, headers, method))

    def read_to_end(self, method: str = "POST") -> list[Answer]:
        """Read answers until the service closes the connection.

        Raises
        ------
        NotClosed
            If it does not close it.
        """
        answers: list[Answer] = []
        try:
            while (answer := self.read(method)) is not None:
                answers.append(answer)
        except TimeoutError:
            raise NotClosed(f"still open after {SECONDS} s, with the answers {[a.status for a in answers]}") from None
        return answers

    def has_ended(self) -> bool:
        """Receive what has arrived, and return whether the service has closed the connection."""
        self._socket.setblocking(False)
        try:
            while self._receive():
                pass
        except BlockingIOError:
            return False
        finally:
            self._socket.settimeout(SECONDS)
        return True

    def _read_body(self, status: int, headers: dict[str, str], method: str) -> bytes:
        if method == "HEAD" or status < 200 or status in (204, 304):
            return b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self._read_line(), 16):
                body += self._read_bytes(size)
                self._read_line()
            self._read_line()
            return body
        if "content-length" in headers:
            return self._read_bytes(int(headers["content-length"]))
        while self._receive():
            pass
        body, self._data = self._data, b""
        return body

    def _read_line(self) -> str:
        line = self._read_until(b"\r\n")
        assert line is not None, "the connection was closed within a body"
        return line.decode()

    def _read_until(self, end: bytes) -> bytes | None:
        while end not in self._data:
            if not self._receive():
                assert not self._data, f"the connection was closed within an answer: {self._data!r}"
                return None
        found, self._data = self._data.split(end, 1)
        return found

    def _read_bytes(self, count: int) -> bytes:
        while len(self._data) < count:
            assert self._receive(), f"the connection was closed after {len(self._data)} of {count} bytes"
        found, self._data = self._data[:count], self._data[count:]
        return found

    def _receive(self) -> bool:
        """Receive more bytes; return False if there will be none."""
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._data += data
        return bool(data)


def request(method: str, path: str, body: bytes | None = None, *lines: str, version: str = "HTTP/1.1") -> bytes:
    """Return a request as bytes, with ``Content-Length`` if it has a body, and further header lines."""
    framing = [] if body is None else [f"Content-Length: {len(body)}"]
    head = [f"{method} {path} {version}", "Host: 127.0.0.1", "Content-Type: application/json", *framing, *lines]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + (body or b"")


# The usual request.
PREDICTION = request("POST", "/prediction", json.dumps(ROW).encode())


def port_of(service: RunningService) -> int:
    """Return the port of a service."""
    return int(service.address.rsplit(":", 1)[1])


def is_open_in_service(service: RunningService, connection: Connection) -> bool:
    """Return whether a worker still holds its end of a connection, whatever the client has noticed."""
    return any(
        end.raddr and end.raddr.port == connection.port
        for worker in service.workers()
        for end in psutil.Process(worker).net_connections("tcp4")
    )


def wait_for_close(connection: Connection, drop: bytes = b"") -> float:
    """Send a drop now and then until the service closes a connection; return after how many seconds that was."""
    started_at = time.monotonic()
    while not connection.has_ended():
        if time.monotonic() - started_at > SECONDS:
            raise NotClosed(f"still open after {SECONDS} s")
        connection.send(drop)
        time.sleep(0.05)
    return time.monotonic() - started_at
