"""The worker's side: hands every scored row to the recorder, or drops it, but never waits."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from app.metrics.service import ServiceMetrics
from app.model.scoring import ScoredRows
from app.recorder.listener import connect
from app.recorder.protocol import PublishedRows

# Looking whether a recorder listens costs as much as handing a few rows over, so requests leave it to a periodic job.
RECONNECT_SECONDS = 0.25


class RecorderClient:
    """One connection to the recorder.

    Parameters
    ----------
    folder
        Where the recorder listens.
    metrics
        Count the rows that were sent, and those that were dropped because the recorder is slow or gone.
    """

    def __init__(self, folder: Path, metrics: ServiceMetrics) -> None:
        self._folder, self._metrics = folder, metrics
        self._connection: socket.socket | None = None
        self._broken: list[socket.socket] = []
        self.reconnect()

    def publish(
        self, request_id: str, version: str, scored: ScoredRows, record_id: str = "", segment: str = ""
    ) -> None:
        """Send the rows of one request; what finds no room is dropped and counted."""
        connection = self._connection
        sent = 0
        if connection is not None:
            try:
                handed = PublishedRows(time.time(), request_id, version, 0, scored, record_id, segment)
                for message, n_rows in handed.to_messages():
                    connection.send(message)
                    sent += n_rows
            except BlockingIOError:
                pass  # the recorder is slow; the rest of a batch would find no room either
            except OSError:
                self._give_up(connection)
        self._metrics.record_published_rows(sent, len(scored.rows) - sent)

    def reconnect(self) -> None:
        """Connect if there is no connection; to be called every ``RECONNECT_SECONDS``."""
        broken, self._broken = self._broken, []
        for connection in broken:
            connection.close()
        if self._connection is None:
            try:
                self._connection = connect(self._folder)
            except OSError:
                return  # nobody listens yet

    def close(self) -> None:
        """End the connection; what was sent still arrives."""
        connection, self._connection = self._connection, None
        for each in (connection, *self._broken):
            if each is not None:
                each.close()

    def _give_up(self, connection: socket.socket) -> None:
        """Forget a connection whose recorder has gone."""
        if self._connection is connection:
            self._connection = None
            # Closed later: another thread may be about to send, and its number must not go to a caller's connection.
            self._broken.append(connection)
