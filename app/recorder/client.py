"""The worker's side: sends every scored row to the recorder, or drops it, but never waits.

What was sent is kept until the recorder acknowledges it, and sent again to the next recorder if this one is killed.
"""

from __future__ import annotations

import logging
import secrets
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from app.errors import count_of
from app.metrics.service import ServiceMetrics
from app.model.scoring import ScoredRow, ScoredRows
from app.recorder.listener import connect
from app.recorder.protocol import ACKNOWLEDGEMENT, SENDING_AGAIN, SENT_AGAIN, PublishedRows, encode_row

log = logging.getLogger(__name__)

# Often enough to be noticed, and not a flood while a recorder is down.
_WARNING_SECONDS = 60.0

# Checking for a recorder costs as much as sending a few rows, so a periodic job does it and not requests. It reads
# acknowledgements as well.
RECONNECT_SECONDS = 0.25

# Kept for the next recorder: ten seconds of two workers at 5,000 rows a second, and as much as its own queue takes of
# two workers; usual are half a second's. Rows of hundreds of features take more memory, which is limited as well.
_MAX_KEPT_ROWS, _MAX_KEPT_BYTES = 25_000, 8 * 2**20


class RecorderClient:
    """One connection to the recorder.

    Parameters
    ----------
    folder
        Where the recorder listens.
    metrics
        Counts the rows that were sent, and those that were dropped because the recorder is slow or gone.
    keeps_rows
        Whether rows are kept until they are acknowledged, which a recorder does that writes records.
    """

    def __init__(self, folder: Path, metrics: ServiceMetrics, *, keeps_rows: bool = False) -> None:
        self._folder, self._metrics = folder, metrics
        self._connection: socket.socket | None = None
        self._broken: list[socket.socket] = []
        self._worker = secrets.token_hex(8) if keeps_rows else ""
        self._position = 0
        # Messages with the position of their end, in order: not yet acknowledged, and not yet sent again. The recorder
        # takes the position of a commit for that of all rows before, so the lock keeps the order.
        self._kept: deque[tuple[int, bytes]] = deque()
        self._kept_bytes = 0
        self._unsent: deque[bytes] = deque()
        self._is_sending_again = False
        self._lock = threading.Lock()
        self._unreported, self._warning_due = 0, 0.0
        self.reconnect()

    def publish(
        self, request_id: str, version: str, scored: ScoredRows, record_id: str = "", segment: str = ""
    ) -> None:
        """Send the rows of one request; what does not fit into the queue is dropped and counted."""
        sent = 0
        with self._lock:
            published = PublishedRows(
                time.time(), request_id, version, 0, scored, record_id, segment, self._worker, self._position
            )
            for message, n_rows in published.to_messages() if self._connection or self._worker else ():
                if not self._send(message, n_rows):
                    break  # the rest of the batch would not fit either
                sent += n_rows
        self._count(sent, len(scored.rows) - sent)

    def publish_row(self, request_id: str, version: str, scored: ScoredRow, record_id: str, segment: str) -> None:
        """Send one row, or drop and count it."""
        sent = False
        with self._lock:
            if self._connection or self._worker:
                message = encode_row(
                    time.time(), request_id, version, scored, record_id, segment, self._worker, self._position
                )
                sent = self._send(message, 1)
        self._count(int(sent), int(not sent))

    def reconnect(self) -> None:
        """Connect if necessary, process acknowledgements, log dropped rows; call this every ``RECONNECT_SECONDS``."""
        broken, self._broken = self._broken, []
        for connection in broken:
            connection.close()
        with self._lock:
            if self._connection is not None:
                self._read_acknowledgements(self._connection)
            if self._connection is None:
                with suppress(OSError):  # no recorder yet
                    self._connection = connect(self._folder)
                    self._unsent = deque(message for _, message in self._kept)
            if self._connection is not None:
                self._send_again(self._connection)
        if self._unreported and time.monotonic() >= self._warning_due:
            log.warning(
                "%s not passed to the recorder, which is slow or not running: answered, but neither recorded nor "
                "monitored for drift",
                count_of(self._unreported, "row"),
            )
            self._unreported, self._warning_due = 0, time.monotonic() + _WARNING_SECONDS

    def close(self) -> None:
        """Close the connection; what was sent still arrives."""
        connection, self._connection = self._connection, None
        for each in (connection, *self._broken):
            if each is not None:
                each.close()

    def _send(self, message: bytes, n_rows: int) -> bool:
        """Send a message and keep it; return False if it is dropped. The lock is held."""
        connection = self._connection
        if connection is None or self._unsent:  # for the next recorder, or after what it gets first
            if not self._worker or self._is_full():
                return False
            if connection is not None:
                self._unsent.append(message)
        else:
            try:
                connection.send(message)
            except BlockingIOError:  # the recorder is slow, or starting
                if not self._worker or self._is_full():
                    return False
                self._unsent.append(message)
            except OSError:
                self._discard(connection)
                if not self._worker:
                    return False
        if self._worker:
            self._position += n_rows
            self._kept.append((self._position, message))
            self._kept_bytes += len(message)
            # The oldest have probably arrived, unless they wait for a connection or for room in its queue.
            while self._connection and len(self._kept) > len(self._unsent) + 1 and self._is_full():
                self._kept_bytes -= len(self._kept.popleft()[1])
        return True

    def _is_full(self) -> bool:
        """Return whether as much is kept as may be."""
        n_rows = self._position - self._kept[0][0] if self._kept else 0
        return n_rows >= _MAX_KEPT_ROWS or self._kept_bytes >= _MAX_KEPT_BYTES

    def _read_acknowledgements(self, connection: socket.socket) -> None:
        """Forget what the recorder has committed or dropped."""
        position = 0
        try:
            while received := connection.recv(ACKNOWLEDGEMENT.size):
                [position] = ACKNOWLEDGEMENT.unpack(received)
            self._discard(connection)  # the recorder has ended
        except BlockingIOError:
            pass
        except OSError:
            self._discard(connection)
        while self._kept and self._kept[0][0] <= position:
            self._kept_bytes -= len(self._kept.popleft()[1])

    def _send_again(self, connection: socket.socket) -> None:
        """Send what the last recorder did not acknowledge, as much as fits."""
        try:
            if self._unsent and not self._is_sending_again:
                connection.send(SENDING_AGAIN)
                self._is_sending_again = True
            while self._unsent:
                connection.send(self._unsent[0])
                self._unsent.popleft()
            if self._is_sending_again:
                connection.send(SENT_AGAIN)
                self._is_sending_again = False
        except BlockingIOError:
            pass
        except OSError:
            self._discard(connection)

    def _count(self, sent: int, dropped: int) -> None:
        """Count rows. Threads may report a row more or less in the log; the metrics are exact."""
        self._metrics.record_published_rows(sent, dropped)
        if dropped:
            self._unreported += dropped

    def _discard(self, connection: socket.socket) -> None:
        """Stop using a connection whose recorder has ended."""
        if self._connection is connection:
            self._connection, self._is_sending_again = None, False
            # Closed later: another thread may be about to send, and its descriptor must not be reused meanwhile.
            self._broken.append(connection)
