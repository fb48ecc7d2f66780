"""Receives the rows that workers publish, and passes each to everything that takes rows."""

from __future__ import annotations

import logging
import selectors
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from app.errors import UnreadableMessage
from app.recorder.protocol import ACKNOWLEDGEMENT, MAX_MESSAGE_BYTES, SENDING_AGAIN, SENT_AGAIN, PublishedRows
from app.recorder.status import beat

log = logging.getLogger(__name__)

# Read from one worker before the next one's turn.
_MESSAGES_PER_TURN = 256

# Full queues of many workers are read in less.
_DRAIN_SECONDS = 2.0

# An idle recorder polls as often, so that it soon knows which rows have arrived: a label for a row that is not there
# yet is answered accordingly.
_POLL_SECONDS = 0.25

# The drift detectors sample one second's rows; the heartbeat and the reports are as frequent.
_TICK_SECONDS = 1.0

# After rows arrived, others may gather before the next read: waking up for each of thousands a second would take more
# than twice the processor time, and a worker's queue holds fifty times as many.
_GATHER_SECONDS = 0.01

_SHUTDOWN, _LISTENER = "shutdown", "listener"


class RowTaker(Protocol):
    """Something that takes every row."""

    def take(self, published: PublishedRows) -> None:
        """Take rows, in a few microseconds: the workers' queues fill meanwhile."""

    def tick(self) -> None:
        """Do what is due every second."""

    def finish(self) -> None:
        """Do what is due at the end."""


class RecorderServer:
    """Receives rows until the service has ended.

    Parameters
    ----------
    listener
        The socket that workers connect to.
    shutdown_pipe
        File descriptor of a pipe that nobody writes to: it is closed when the service ends.

    Attributes
    ----------
    has_ended
        Whether the service has ended.
    drained_until
        Everything that was sent before this time was received; in seconds since 1970, 0 at first.
    """

    def __init__(self, listener: socket.socket, shutdown_pipe: int) -> None:
        self.has_ended = False
        self.drained_until = 0.0
        self._listener = listener
        # By worker: the connection on which its rows arrive.
        self._workers: dict[str, socket.socket] = {}
        # The connections on which rows follow that a worker kept.
        self._unfinished: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        listener.setblocking(False)
        self._selector.register(listener, selectors.EVENT_READ, _LISTENER)
        self._selector.register(shutdown_pipe, selectors.EVENT_READ, _SHUTDOWN)

    def receive(self, seconds: float) -> Iterator[PublishedRows]:
        """Yield what has arrived; if nothing has, wait for something, at most ``seconds``."""
        self._selector.select(max(0.0, seconds))
        # Polled again, as it is not known when the wait ended: everything sent before `started` is found now.
        started = time.time()
        is_drained = True
        for key, _ in self._selector.select(0):
            if key.data == _SHUTDOWN:
                self.has_ended = True
                self._selector.unregister(key.fileobj)
                continue
            # A worker may have sent something before its connection is accepted.
            for connection in self._accept() if key.data == _LISTENER else (key.data,):
                is_drained &= yield from self._read(connection)
        if is_drained and not self._unfinished:
            self.drained_until = started

    def drain(self) -> Iterator[PublishedRows]:
        """Yield what was sent before the end; workers whose arbiter was killed may go on sending for a moment."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._selector.select(0) and time.monotonic() < deadline:
            yield from self.receive(0)

    def acknowledge(self, worker: str, position: int) -> None:
        """Send a worker how far its rows are done, without waiting; may be called by another thread."""
        connection = self._workers.get(worker)
        if connection is not None:
            # A worker that has ended needs none; one that is slow learns it from the next.
            with suppress(OSError):
                connection.send(ACKNOWLEDGEMENT.pack(position))

    def close(self) -> None:
        """Close all connections."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _accept(self) -> Iterator[socket.socket]:
        """Accept every worker that is connecting."""
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, connection)
            yield connection

    def _read(self, connection: socket.socket) -> Generator[PublishedRows, None, bool]:
        """Yield what one worker has sent, up to the end of its turn; return whether that was all."""
        for _ in range(_MESSAGES_PER_TURN):
            try:
                message = connection.recv(MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return True
            except ConnectionError:
                message = b""
            if not message:
                self._selector.unregister(connection)
                self._workers = {worker: other for worker, other in self._workers.items() if other is not connection}
                self._unfinished.discard(connection)
                connection.close()
                return True
            if message == SENDING_AGAIN:
                self._unfinished.add(connection)
                continue
            if message == SENT_AGAIN:
                self._unfinished.discard(connection)
                continue
            try:
                published = PublishedRows.from_message(message)
                if published.worker:
                    self._workers[published.worker] = connection
                yield published
            except UnreadableMessage as error:
                log.error("%s", error)
        return False


def record(
    server: RecorderServer,
    takers: Sequence[RowTaker],
    folder: Path,
    count_rows: Callable[[int], None] | None = None,
) -> None:
    """Process all rows until the service ends, and then those that were sent before.

    Parameters
    ----------
    server
        Receives the rows.
    takers
        Each gets all rows, in this order.
    folder
        The metrics folder, where the heartbeat shows that this process is alive.
    count_rows
        Called with the number of rows when all takers have them; None if one of them counts rows itself.
    """

    def process(received: Iterable[PublishedRows]) -> bool:
        any_rows = False
        for published in received:
            for taker in takers:
                taker.take(published)
            if count_rows is not None:
                count_rows(len(published.scored.scores))
            any_rows = True
        return any_rows

    due = time.monotonic()
    while not server.has_ended:
        if time.monotonic() >= due:
            for taker in takers:
                taker.tick()
            beat(folder)
            due = time.monotonic() + _TICK_SECONDS
        if process(server.receive(min(due - time.monotonic(), _POLL_SECONDS))):
            time.sleep(_GATHER_SECONDS)
    process(server.drain())
    for taker in takers:
        taker.finish()
