"""The recorder's side of the door: takes what the workers hand over, from all of them alike."""

from __future__ import annotations

import logging
import selectors
import socket
import time
from collections.abc import Iterator

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
    """

    def __init__(self, door: socket.socket, lifeline: int) -> None:
        self.is_over = False
        self._door = door
        self._selector = selectors.DefaultSelector()
        door.setblocking(False)
        self._selector.register(door, selectors.EVENT_READ, _DOOR)
        self._selector.register(lifeline, selectors.EVENT_READ, _LIFELINE)

    def receive(self, seconds: float) -> Iterator[HandedRows]:
        """Give what waits; if nothing does, wait for something, at most so long."""
        for key, _ in self._selector.select(max(0.0, seconds)):
            if key.data == _LIFELINE:
                self.is_over = True
                self._selector.unregister(key.fileobj)
            elif key.data == _DOOR:
                self._let_in()
            else:
                yield from self._read(key.data)

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

    def _let_in(self) -> None:
        """Accept a worker."""
        try:
            connection, _ = self._door.accept()
        except BlockingIOError:
            return  # it has gone again
        connection.setblocking(False)
        self._selector.register(connection, selectors.EVENT_READ, connection)

    def _read(self, connection: socket.socket) -> Iterator[HandedRows]:
        """Give what one worker has sent, up to its turn's end."""
        for _ in range(_MESSAGES_A_TURN):
            try:
                message = connection.recv(LARGEST_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                message = b""
            if not message:
                self._selector.unregister(connection)
                connection.close()
                return
            try:
                yield HandedRows.from_message(message)
            except UnreadableMessage as error:
                log.error("%s", error)
