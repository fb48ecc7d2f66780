"""The worker's side: sends every scored row to the recorder, or drops it, but never waits."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from pathlib import Path

from app.errors import count_of
from app.metrics.service import ServiceMetrics
from app.model.scoring import ScoredRow, ScoredRows
from app.recorder.listener import connect
from app.recorder.protocol import PublishedRows, encode_row

log = logging.getLogger(__name__)

# Often enough to be noticed, and not a flood while a recorder is down.
_WARNING_SECONDS = 60.0

# Checking for a recorder costs as much as sending a few rows, so a periodic job does it and not requests.
RECONNECT_SECONDS = 0.25


class RecorderClient:
    """One connection to the recorder.

    Parameters
    ----------
    folder
        Where the recorder listens.
    metrics
        Counts the rows that were sent, and those that were dropped because the recorder is slow or gone.
    """

    def __init__(self, folder: Path, metrics: ServiceMetrics) -> None:
        self._folder, self._metrics = folder, metrics
        self._connection: socket.socket | None = None
        self._broken: list[socket.socket] = []
        self._unreported, self._warning_due = 0, 0.0
        self.reconnect()

    def publish(
        self, request_id: str, version: str, scored: ScoredRows, record_id: str = "", segment: str = ""
    ) -> None:
        """Send the rows of one request; what does not fit into the socket's queue is dropped and counted."""
        connection = self._connection
        sent = 0
        if connection is not None:
            try:
                published = PublishedRows(time.time(), request_id, version, 0, scored, record_id, segment)
                for message, n_rows in published.to_messages():
                    connection.send(message)
                    sent += n_rows
            except BlockingIOError:
                pass  # the recorder is slow; the rest of the batch would not fit either
            except OSError:
                self._discard(connection)
        self._count(sent, len(scored.rows) - sent)

    def publish_row(self, request_id: str, version: str, scored: ScoredRow, record_id: str, segment: str) -> None:
        """Send one row, or drop and count it."""
        connection = self._connection
        sent = 0
        if connection is not None:
            try:
                connection.send(encode_row(time.time(), request_id, version, scored, record_id, segment))
                sent = 1
            except BlockingIOError:
                pass  # the recorder is slow
            except OSError:
                self._discard(connection)
        self._count(sent, 1 - sent)

    def reconnect(self) -> None:
        """Connect if there is no connection, and report dropped rows; call this every ``RECONNECT_SECONDS``."""
        broken, self._broken = self._broken, []
        for connection in broken:
            connection.close()
        if self._connection is None:
            with suppress(OSError):  # no recorder yet
                self._connection = connect(self._folder)
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

    def _count(self, sent: int, dropped: int) -> None:
        """Count rows. Threads may report a row more or less in the log; the metrics are exact."""
        self._metrics.record_published_rows(sent, dropped)
        if dropped:
            self._unreported += dropped

    def _discard(self, connection: socket.socket) -> None:
        """Stop using a connection whose recorder has ended."""
        if self._connection is connection:
            self._connection = None
            # Closed later: another thread may be about to send, and its descriptor must not be reused meanwhile.
            self._broken.append(connection)
