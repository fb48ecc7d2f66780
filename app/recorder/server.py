"""The recorder's side of the door: takes what the workers hand over, from all of them alike.

The recorder's loop: every row that arrives goes to everything that wants rows.
"""

from __future__ import annotations

import logging
import selectors
import socket
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from app.errors import UnreadableMessage
from app.recorder.protocol import LARGEST_MESSAGE_BYTES, PublishedRows
from app.recorder.status import beat

log = logging.getLogger(__name__)

# Read from one worker before the next one's turn.
_MESSAGES_A_TURN = 256

# Full queues of many workers are read in less.
_REST_SECONDS = 2.0

_LIFELINE, _DOOR = "lifeline", "door"


class RecorderServer:
    """Receives rows until the service has gone.

    Parameters
    ----------
    door
        Where workers connect.
    lifeline
        File descriptor of a pipe that nobody writes to: its end is the end of the service.

    Attributes
    ----------
    is_over
        Whether the service has ended.
    emptied_until
        Everything that was sent before this moment has been given; in seconds since 1970, 0 at first.
    """

    def __init__(self, door: socket.socket, lifeline: int) -> None:
        self.is_over = False
        self.emptied_until = 0.0
        self._door = door
        self._selector = selectors.DefaultSelector()
        door.setblocking(False)
        self._selector.register(door, selectors.EVENT_READ, _DOOR)
        self._selector.register(lifeline, selectors.EVENT_READ, _LIFELINE)

    def receive(self, seconds: float) -> Iterator[PublishedRows]:
        """Give what waits; if nothing does, wait for something, at most so long."""
        self._selector.select(max(0.0, seconds))
        # Looked at once more, as it is not known when the wait ended: what was sent before `begun` is found now.
        begun = time.time()
        is_emptied = True
        for key, _ in self._selector.select(0):
            if key.data == _LIFELINE:
                self.is_over = True
                self._selector.unregister(key.fileobj)
                continue
            # Who is let in may have sent something before.
            for connection in self._let_in() if key.data == _DOOR else (key.data,):
                is_emptied &= yield from self._read(connection)
        if is_emptied:
            self.emptied_until = begun

    def receive_rest(self) -> Iterator[PublishedRows]:
        """Give what was sent before the end; workers whose arbiter was killed may go on sending for a moment."""
        deadline = time.monotonic() + _REST_SECONDS
        while self._selector.select(0) and time.monotonic() < deadline:
            yield from self.receive(0)

    def close(self) -> None:
        """End all connections."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _let_in(self) -> Iterator[socket.socket]:
        """Accept every worker that waits."""
        while True:
            try:
                connection, _ = self._door.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            self._selector.register(connection, selectors.EVENT_READ, connection)
            yield connection

    def _read(self, connection: socket.socket) -> Generator[PublishedRows, None, bool]:
        """Give what one worker has sent, up to its turn's end; return whether that was all."""
        for _ in range(_MESSAGES_A_TURN):
            try:
                message = connection.recv(LARGEST_MESSAGE_BYTES)
            except BlockingIOError:
                return True
            except ConnectionError:
                message = b""
            if not message:
                self._selector.unregister(connection)
                connection.close()
                return True
            try:
                yield PublishedRows.from_message(message)
            except UnreadableMessage as error:
                log.error("%s", error)
        return False


# An idle recorder looks as often, so that it knows soon what is there, and a label that comes early is told so.
_LOOK_SECONDS = 0.25

# The sample of the drift detectors is one second's; the heartbeat and the reports are as often.
_TICK_SECONDS = 1.0

# After rows came, others may gather before they are looked for: waking up for each of thousands a second would take
# more than twice the processor time, and a worker's queue holds fifty times as many.
_GATHER_SECONDS = 0.01


class RowTaker(Protocol):
    """Something that wants every row."""

    def take(self, handed: PublishedRows) -> None:
        """Take rows, in a few microseconds: the workers' queues fill meanwhile."""

    def tick(self) -> None:
        """Do what is due every second."""

    def finish(self) -> None:
        """Do what is due at the end."""


def record(receiver: RecorderServer, takers: Sequence[RowTaker], folder: Path) -> None:
    """Deal with all rows until the service ends, and then with those that were sent before.

    Parameters
    ----------
    receiver
        Gives the rows.
    takers
        Get them, each all, in this order.
    folder
        The metrics folder, which shows that this process lives.
    """

    def deal_with(received: Iterable[PublishedRows]) -> bool:
        came = False
        for handed in received:
            for taker in takers:
                taker.take(handed)
            came = True
        return came

    due = time.monotonic()
    while not receiver.is_over:
        if time.monotonic() >= due:
            for taker in takers:
                taker.tick()
            beat(folder)
            due = time.monotonic() + _TICK_SECONDS
        if deal_with(receiver.receive(min(due - time.monotonic(), _LOOK_SECONDS))):
            time.sleep(_GATHER_SECONDS)
    deal_with(receiver.receive_rest())
    for taker in takers:
        taker.finish()
