"""Gunicorn's response, sent in one piece where it is short.

Gunicorn sends the head of an answer and its body in two calls. If the worker is killed in between, a proxy has read a
head that promises a body, so it cannot ask another replica any more, and its caller gets no answer. What leaves in one
call has either not begun, and can be asked for again, or is whole. It also saves a system call.
"""

from __future__ import annotations

import socket
from typing import Any, BinaryIO

from gunicorn.http import wsgi


class HeadKeeper:
    """A connection that keeps what is sent first, the head, until something follows.

    Parameters
    ----------
    connection
        The client's.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        # None before the head, empty after it has left.
        self._head: bytes | None = None

    def sendall(self, data: bytes) -> None:
        """Keep the head; send anything else, with the head before it if that is still here."""
        if self._head is None:
            self._head = data
            return
        head, self._head = self._head, b""
        self._connection.sendall(head + data)  # nothing is copied where the head has left

    def sendfile(self, file: BinaryIO, offset: int, count: int) -> int:
        """Send a part of a file, after the head."""
        self.send_head()
        return self._connection.sendfile(file, offset=offset, count=count)

    def send_head(self) -> None:
        """Send the head, if it is still here."""
        if self._head:
            self.sendall(b"")


class OnePieceResponse(wsgi.Response):
    """Sends the head together with the first part of the body."""

    def __init__(self, request: Any, connection: socket.socket, configuration: Any) -> None:
        super().__init__(request, HeadKeeper(connection), configuration)

    def close(self) -> None:
        """End the answer, which may have no body."""
        super().close()
        self.sock.send_head()


def send_in_one_piece() -> None:
    """Have Gunicorn make such responses in this process; it has no setting for it."""
    wsgi.Response = OnePieceResponse
