"""The recorder's side of the door: takes what the workers hand over, from all of them alike."""

from __future__ import annotations

import logging
import selectors
import socket
import time
from collections.abc import Generator, Iterator

from app.errors import UnreadableMessage
from app.recorder.handed_rows import LARGEST_MESSAGE_BYTES, HandedRows

log = logging.getLogger(__name__)

# Read from one worker before the next one's turn.
_MESSAGES_A_TURN = 256

# Full queues of many workers are read in less.
_REST_SECONDS = 2.0

_LIFELINE, _DOOR = "lifeline", "door"


class Receiver:
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

    def receive(self, seconds: float) -> Iterator[HandedRows]:
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

    def receive_rest(self) -> Iterator[HandedRows]:
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

    def _read(self, connection: socket.socket) -> Generator[HandedRows, None, bool]:
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
                yield HandedRows.from_message(message)
            except UnreadableMessage as error:
                log.error("%s", error)
        return False
