"""Gunicorn's threaded worker with three changes: a fast path for predictions, a clean shutdown, and one-piece answers.

Fast path: Gunicorn passes every request to a thread and back through a queue and a pipe, which costs more than a
prediction, and several busy threads wait for each other's interpreter lock. Only slow clients need threads. So a
prediction that has arrived completely is answered at once, in the loop that noticed it.

Shutdown: Gunicorn stops accepting, but keeps the listener open until the last request is answered. The kernel would
accept new connections meanwhile, and nobody would answer them. Here the listener is closed at once.

One piece: Gunicorn sends headers and body in two calls. If the worker is killed in between, a proxy has already read
the headers, cannot retry on another replica, and its caller gets no answer. Sent in one call, an answer is either
complete or can be retried. It also saves a system call.
"""

from __future__ import annotations

import re
import socket
from typing import Any, BinaryIO

from gunicorn.glogging import Logger
from gunicorn.http import wsgi
from gunicorn.workers.gthread import TConn, ThreadWorker


class HeaderBuffer:
    """A connection that holds back what is sent first, the headers, until something follows.

    Parameters
    ----------
    connection
        The client's.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        # None before the headers, empty after they were sent.
        self._headers: bytes | None = None

    def sendall(self, data: bytes) -> None:
        """Hold back the headers, or send data after any headers that were held back."""
        if self._headers is None:
            self._headers = data
            return
        headers, self._headers = self._headers, b""
        self._connection.sendall(headers + data)  # nothing is copied once the headers were sent

    def sendfile(self, file: BinaryIO, offset: int, count: int) -> int:
        """Send a part of a file after the headers."""
        self.flush()
        return self._connection.sendfile(file, offset=offset, count=count)

    def flush(self) -> None:
        """Send the headers if they were held back."""
        if self._headers:
            self.sendall(b"")


class OnePieceResponse(wsgi.Response):
    """Sends the headers together with the first part of the body."""

    def __init__(self, request: Any, connection: socket.socket, configuration: Any) -> None:
        super().__init__(request, HeaderBuffer(connection), configuration)

    def close(self) -> None:
        """Finish the answer, which may have no body."""
        super().close()
        self.sock.flush()


def send_in_one_piece() -> None:
    """Make Gunicorn use ``OnePieceResponse`` in this process; it has no setting for this."""
    wsgi.Response = OnePieceResponse


# Longer requests are passed to a thread; one row of 256 features takes 6 KB.
_MAX_PEEKED_BYTES = 8192

# Only this route: its answers are so short that sending one never waits for the client.
_PREDICTION_START = b"POST /prediction HTTP/1.1\r\n"

_END_OF_HEADERS = b"\r\n\r\n"

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,4})\r\n", re.IGNORECASE)


class DrainingWorker(ThreadWorker):
    """A threaded worker that answers complete predictions at once, and closes its listener when it shuts down."""

    def init_process(self) -> None:
        """Start to serve."""
        send_in_one_piece()
        super().init_process()

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Answer a prediction that has arrived completely on an open connection; pass all else to a thread."""
        if not _has_complete_prediction(client):
            super().on_client_socket_readable(conn, client)
            return
        self.keepalived_conns.remove(conn)
        if not self.handle(conn) or conn.parser.unreader.buf.getvalue():
            self._finish(conn, client)
            return
        # What Gunicorn does after an answer, except that the connection is still registered with the poller.
        client.setblocking(False)
        conn.set_timeout()
        self.keepalived_conns.append(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop to accept; on shutdown, accept the connections that already wait, then close the listeners."""
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        for listener in self.sockets:
            accepted = -1
            while accepted != self.nr_conns:
                accepted = self.nr_conns
                self.accept(listener)  # increases nr_conns if a connection was waiting
            listener.close()

    def _finish(self, conn: TConn, client: socket.socket) -> None:
        """Close a connection after its last answer, or pass it to a thread if more data follows the request."""
        self.poller.unregister(client)
        if conn.parser.unreader.buf.getvalue():
            self.enqueue_req(conn)
            return
        self.nr_conns -= 1
        conn.close(graceful=True)


def _has_complete_prediction(client: socket.socket) -> bool:
    """Peek whether exactly one complete prediction request is waiting."""
    try:
        data = client.recv(_MAX_PEEKED_BYTES, socket.MSG_PEEK)
    except OSError:
        return False
    if not data.startswith(_PREDICTION_START):
        return False
    end = data.find(_END_OF_HEADERS)
    length = _LENGTH.search(data, 0, end + len(_END_OF_HEADERS)) if end > 0 else None
    return length is not None and len(data) == end + len(_END_OF_HEADERS) + int(length[1])


class ErrorsOnlyLogger(Logger):
    """Gunicorn's logger without its access log, which the service's own request log replaces.

    Given a logging configuration, Gunicorn formats an access line for every request, even if no handler writes it,
    which took longer than scoring the row.
    """

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Log nothing."""
