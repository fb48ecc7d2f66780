"""Rows that wait in memory for the database: bounded, and never waited for by whoever puts them in."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from app.model.scored_rows import ScoredRows
from app.recorder.handed_rows import HandedRows

# A transaction of a few milliseconds, so that a label or a reader never waits long for it.
BATCH_ROWS = 500

# The least that a row waits for others to come, where few come: each transaction has its own price.
BATCH_SECONDS = 0.2

# Ten seconds at 5,000 rows a second, or a quarter of an hour of the usual traffic, in about 70 MB.
MOST_WAITING_ROWS = 50_000


class RowQueue:
    """A queue of rows between the recorder's loop and the thread that writes.

    Parameters
    ----------
    emptied_until
        Tells until when all rows that were sent have been put in, in seconds since 1970.
    most_rows
        How many rows wait at most.
    """

    def __init__(self, emptied_until: Callable[[], float], most_rows: int = MOST_WAITING_ROWS) -> None:
        self._emptied_until, self._most_rows = emptied_until, most_rows
        self._parts: deque[HandedRows] = deque()
        # Both count from the start: rows that came in, and rows that are done with.
        self._n_put = self._n_done = 0
        self._n_waiting = 0
        self._mark: tuple[float, int] | None = None
        self._done_until = 0.0
        self._changed = threading.Condition()
        self._is_closed = False

    @property
    def n_rows(self) -> int:
        """How many rows are not done with, those that are being written among them."""
        return self._n_put - self._n_done

    def put(self, handed: HandedRows) -> bool:
        """Take rows, all or none; False if there is no room."""
        n_rows = len(handed.scored.scores)
        with self._changed:
            if self.n_rows + n_rows > self._most_rows:
                return False
            self._parts.extend(_split(handed) if n_rows > BATCH_ROWS else (handed,))
            self._n_put += n_rows
            self._n_waiting += n_rows
            if self._n_waiting == n_rows or self._n_waiting >= BATCH_ROWS:
                self._changed.notify()
        return True

    def take_batch(self, seconds: float) -> list[HandedRows]:
        """Wait for a row, at most so long, and then a moment for more of them; give at most ``BATCH_ROWS`` rows.

        They are not done with before :meth:`finish` is called.
        """
        with self._changed:
            if self._changed.wait_for(self._has_rows, seconds) and self._n_waiting:
                self._changed.wait_for(self._has_a_batch, BATCH_SECONDS)
            batch: list[HandedRows] = []
            n_rows = 0
            while self._parts and n_rows + len(self._parts[0].scored.scores) <= BATCH_ROWS:
                batch.append(part := self._parts.popleft())
                n_rows += len(part.scored.scores)
            self._n_waiting -= n_rows
            return batch

    def finish(self, n_rows: int) -> None:
        """Be done with rows of the last batch: they are committed, or given up."""
        with self._changed:
            self._n_done += n_rows

    def done_until(self, n_more_rows: int = 0) -> float:
        """Tell until when all rows that were sent are done with, in seconds since 1970.

        Parameters
        ----------
        n_more_rows
            Taken as if they were done with, too: those of the transaction in which the answer is written down.
        """
        with self._changed:
            if self._mark is None:
                self._set_mark()
            for _ in range(2):  # the mark may be old, and the next one be reached as well
                if self._mark is not None and self._mark[1] <= self._n_done + n_more_rows:
                    self._done_until = self._mark[0]  # earlier than before, if the clock was put back
                    self._set_mark()
            return self._done_until

    def close(self) -> None:
        """Let nobody wait any longer for rows."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _set_mark(self) -> None:
        """Note which row was the last of those that were sent before a moment. The moment is to be asked for first."""
        seconds = self._emptied_until()
        self._mark = (seconds, self._n_put)

    def _has_rows(self) -> bool:
        return bool(self._parts) or self._is_closed

    def _has_a_batch(self) -> bool:
        return self._n_waiting >= BATCH_ROWS or self._is_closed


def _split(handed: HandedRows) -> list[HandedRows]:
    """Cut rows into parts of at most a batch."""
    scored = handed.scored
    parts = []
    for first in range(0, len(scored.scores), BATCH_ROWS):
        chosen = slice(first, first + BATCH_ROWS)
        part = ScoredRows(scored.rows[chosen], scored.scores[chosen], scored.labels[chosen], scored.confidences[chosen])
        parts.append(replace(handed, first_row=handed.first_row + first, scored=part))
    return parts
