"""Gunicorn's threaded worker, with an express lane for predictions and an end that callers can tell from a hang.

Gunicorn's own worker hands every request to a thread and back, through a queue and a pipe: that costs more than a
prediction, and several threads at once make each other wait for the interpreter lock. Threads are needed for clients
that send slowly. So a prediction that has arrived whole is answered at once, in the loop that saw it come.

At the end, Gunicorn's own worker stops accepting, but keeps the listening socket open until its last request is
answered: whoever connects meanwhile is accepted by the kernel and answered by nobody.

Gunicorn's response, sent in one piece where it is short.

Gunicorn sends the head of an answer and its body in two calls. If the worker is killed in between, a proxy has read a
head that promises a body, so it cannot ask another replica any more, and its caller gets no answer. What leaves in one
call has either not begun, and can be asked for again, or is whole. It also saves a system call.

Gunicorn's logger without an access log, whose place the service's own request log takes.

Given a logging configuration, Gunicorn lays out an access line for every request, whoever listens: that took longer
than scoring the row.
"""

from __future__ import annotations

import re
import socket
from typing import Any, BinaryIO

from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from gunicorn.workers.gthread import TConn, ThreadWorker


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


# A longer request than this is handed to a thread; one row of 256 features takes 6 KB.
_MOST_BYTES_LOOKED_AT = 8192

# Only this route: its answers are so short that sending one never waits for the client.
_BEGINS_AS_PREDICTION = b"POST /prediction HTTP/1.1\r\n"

_END_OF_HEAD = b"\r\n\r\n"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,4})\r\n", re.IGNORECASE)


class DrainingWorker(ThreadWorker):
    """A threaded worker that answers whole predictions at once, and at its end refuses whoever comes later."""

    def init_process(self) -> None:
        """Begin to serve."""
        send_in_one_piece()
        super().init_process()

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer a prediction that has arrived whole on an open connection; hand anything else to a thread."""
        if not _holds_whole_prediction(client):
            super().on_client_socket_readable(conn, client)
            return
        self.keepalived_conns.remove(conn)
        if not self.handle(conn) or conn.parser.unreader.buf.getvalue():
            self._leave_to_gunicorn(conn, client)
            return
        # As after any answer, but the connection was never taken out of the poller.
        client.setblocking(False)
        conn.set_timeout()
        self.keepalived_conns.append(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or end to accept; at the end of the worker's life, take what already waits, then close the door."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            taken = -1
            while taken != self.nr_conns:
                taken = self.nr_conns
                self.accept(listener)  # counts the connection, if one waited
            listener.close()

    def _leave_to_gunicorn(self, conn: TConn, client: socket.socket) -> None:
        """Close a connection after its last answer, or let a thread read what came behind the request."""
        self.poller.unregister(client)
        if conn.parser.unreader.buf.getvalue():
            self.enqueue_req(conn)
            return
        self.nr_conns -= 1
        conn.close(graceful=True)


def _holds_whole_prediction(client: socket.socket) -> bool:
    """Look, without taking anything, whether exactly one whole prediction request waits."""
    try:
        waiting = client.recv(_MOST_BYTES_LOOKED_AT, socket.MSG_PEEK)
    except OSError:
        return False
    if not waiting.startswith(_BEGINS_AS_PREDICTION):
        return False
    head = waiting.find(_END_OF_HEAD)
    length = _LENGTH.search(waiting, 0, head + len(_END_OF_HEAD)) if head > 0 else None
    return length is not None and len(waiting) == head + len(_END_OF_HEAD) + int(length[1])


class ErrorsOnlyLogger(Logger):
    """Logs what Gunicorn has to say, and no requests."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Say nothing of a request."""
