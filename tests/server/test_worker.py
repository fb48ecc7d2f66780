"""A short answer leaves in one piece, so that a worker that is killed has sent all of it or nothing."""

from __future__ import annotations

import io
import socket
from types import SimpleNamespace
from typing import BinaryIO, cast

import pytest
from gunicorn.config import Config

from app.server.worker import HeadKeeper, OnePieceResponse

BODY = b'{"is_inlier":1}'


class SeenConnection:
    """A stand-in for a socket that notes each piece by itself, which a real one does not let a reader see."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def sendall(self, data: bytes) -> None:
        self.pieces.append(data)

    def sendfile(self, file: BinaryIO, offset: int, count: int) -> int:
        file.seek(offset)
        self.pieces.append(file.read(count))
        return count


@pytest.fixture
def connection() -> SeenConnection:
    """Where an answer goes."""
    return SeenConnection()


def respond(connection: SeenConnection | socket.socket, *parts: bytes, method: str = "GET") -> None:
    """Answer a request with some parts of a body."""
    request = SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False)
    response = OnePieceResponse(request, cast(socket.socket, connection), Config())
    response.start_response("200 OK", [("Content-Length", str(sum(map(len, parts))))])
    for part in parts:
        response.write(part)
    response.close()


def test_head_and_body_leave_together(connection: SeenConnection):
    """In one call, which the kernel takes as a whole."""
    respond(connection, BODY)

    [piece] = connection.pieces
    assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
    assert piece.endswith(b"\r\n\r\n" + BODY)


def test_further_parts_leave_as_they_come(connection: SeenConnection):
    """A long answer is not collected."""
    respond(connection, b"one", b"two", b"three")

    assert connection.pieces[0].endswith(b"\r\n\r\none")
    assert connection.pieces[1:] == [b"two", b"three"]


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_head_leaves_without_a_body(connection: SeenConnection, method: str):
    """Whether the answer is empty or the caller wants its head alone; nothing is sent twice."""
    respond(connection, *([BODY] if method == "HEAD" else []), method=method)

    assert b"".join(connection.pieces).count(b"HTTP/1.1 200 OK") == 1
    assert connection.pieces[0].endswith(b"\r\n\r\n")


def test_head_goes_before_a_file(connection: SeenConnection):
    """Files are sent by the kernel, which knows nothing of heads."""
    keeper = HeadKeeper(cast(socket.socket, connection))
    keeper.sendall(b"head")
    keeper.sendfile(io.BytesIO(b"0123456789"), offset=2, count=3)

    assert connection.pieces == [b"head", b"234"]


def test_real_connection_gets_the_answer():
    """Over a real pair of sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        respond(ours, BODY)
        assert theirs.recv(4096).endswith(BODY)
