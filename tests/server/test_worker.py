"""A short answer is sent in one piece, so that a worker that is killed has sent all of it or nothing."""

from __future__ import annotations

import io
import socket
from types import SimpleNamespace
from typing import BinaryIO, cast

import pytest
from gunicorn.config import Config

from app.server.worker import HeaderBuffer, OnePieceResponse

BODY = b'{"is_inlier":1}'


class FakeConnection:
    """A socket that records each piece separately, which the reader of a real one cannot see."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.pieces.append(data)

    def sendfile(self, file: BinaryIO, offset: int, count: int) -> int:
        file.seek(offset)
        self.pieces.append(file.read(count))
        return count


@pytest.fixture
def connection() -> FakeConnection:
    """The client's connection."""
    return FakeConnection()


def respond(connection: FakeConnection | socket.socket, *parts: bytes, method: str = "GET") -> None:
    """Answer a request with the parts of a body."""
    request = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    response = OnePieceResponse(request, cast(socket.socket, connection), Config())
    response.start_response("200 OK", [("Content-Length", str(sum(map(len, parts))))])
    for part in parts:
        response.write(part)
    response.close()


def test_headers_and_body_are_sent_together(connection: FakeConnection):
    """One call sends both, and the kernel takes it as a whole."""
    respond(connection, BODY)

    [piece] = connection.pieces
    assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
    assert piece.endswith(b"\r\n\r\n" + BODY)


def test_later_parts_are_sent_at_once(connection: FakeConnection):
    """A long answer is not buffered."""
    respond(connection, b"one", b"two", b"three")

    assert connection.pieces[0].endswith(b"\r\n\r\none")
    assert connection.pieces[1:] == [b"two", b"three"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_headers_are_sent_without_a_body(connection: FakeConnection, method: str):
    """Empty answers and answers to HEAD are sent, and nothing is sent twice."""
    respond(connection, *([BODY] if method == "HEAD" else []), method=method)

    assert b"".join(connection.pieces).count(b"HTTP/1.1 200 OK") == 1
    assert connection.pieces[0].endswith(b"\r\n\r\n")


def test_headers_are_sent_before_a_file(connection: FakeConnection):
    """The kernel sends files itself, so the headers must be sent before."""
    buffer = HeaderBuffer(cast(socket.socket, connection))
    buffer.sendall(b"headers")
    buffer.sendfile(io.BytesIO(b"0123456789"), offset=2, count=3)

    assert connection.pieces == [b"headers", b"234"]


def test_real_connection_gets_the_answer():
    """The answer arrives through a real pair of sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        respond(ours, BODY)
        assert theirs.recv(4096).endswith(BODY)
