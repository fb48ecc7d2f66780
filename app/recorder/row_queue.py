"""The bounded queue between the recorder's loop and the thread that writes; the loop never waits for it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from app.model.scoring import ScoredRows
from app.recorder.protocol import PublishedRows

# A transaction of a few milliseconds, so that neither a label nor a reader waits long for it.
BATCH_ROWS = 500

# How long the first row of a batch waits for others when traffic is low: every transaction has a fixed cost.
BATCH_SECONDS = 0.2

# Ten seconds at 5,000 rows a second, or a quarter of an hour of the usual traffic, in about 70 MB.
MAX_PENDING_ROWS = 50_000


class RowQueue:
    """A queue of rows that are to be written.

    Parameters
    ----------
    drained_until
        Returns the time up to which all rows that workers sent are in the queue, in seconds since 1970.
    max_rows
        How many rows may be pending.
    """

    def __init__(self, drained_until: Callable[[], float], max_rows: int = MAX_PENDING_ROWS) -> None:
        self._drained_until, self._max_rows = drained_until, max_rows
        self._parts: deque[PublishedRows] = deque()
        # Both count from the start: rows that were put in, and rows that were written or dropped.
        self._n_put = self._n_done = 0
        self._n_queued = 0
        # A timestamp, and how many rows had been put in by then.
        self._mark: tuple[float, int] | None = None
        self._done_until = 0.0
        self._changed = threading.Condition()
        self._is_closed = False

    @property
    def n_rows(self) -> int:
        """The number of pending rows, including those that are being written."""
        return self._n_put - self._n_done

    def put(self, published: PublishedRows) -> bool:
        """Add rows, all or none; return False if there is no room."""
        n_rows = len(published.scored.scores)
        with self._changed:
            if self.n_rows + n_rows > self._max_rows:
                return False
            self._parts.extend(_split(published) if n_rows > BATCH_ROWS else (published,))
            self._n_put += n_rows
            self._n_queued += n_rows
            if self._n_queued == n_rows or self._n_queued >= BATCH_ROWS:
                self._changed.notify()
        return True

    def take_batch(self, seconds: float) -> list[PublishedRows]:
        """Wait up to ``seconds`` for a row, then a moment for more; return at most ``BATCH_ROWS`` rows.

        They stay pending until :meth:`finish` is called.
        """
        with self._changed:
            if self._changed.wait_for(self._has_rows, seconds) and self._n_queued:
                self._changed.wait_for(self._has_a_batch, BATCH_SECONDS)
            batch: list[PublishedRows] = []
            n_rows = 0
            while self._parts and n_rows + len(self._parts[0].scored.scores) <= BATCH_ROWS:
                batch.append(part := self._parts.popleft())
                n_rows += len(part.scored.scores)
            self._n_queued -= n_rows
            return batch

    def finish(self, n_rows: int) -> None:
        """Count rows of the last batch as done: committed or dropped."""
        with self._changed:
            self._n_done += n_rows

    def done_until(self, n_more_rows: int = 0) -> float:
        """Return the time up to which all rows that workers sent are done, in seconds since 1970.

        Parameters
        ----------
        n_more_rows
            Rows to count as done already: those of the transaction that stores the result.
        """
        with self._changed:
            if self._mark is None:
                self._set_mark()
            for _ in range(2):  # the mark may be old, and the next one reached as well
                if self._mark is not None and self._mark[1] <= self._n_done + n_more_rows:
                    self._done_until = self._mark[0]  # earlier than before, if the clock was set back
                    self._set_mark()
            return self._done_until

    def close(self) -> None:
        """Wake the reader; from now on it does not wait for rows."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def _set_mark(self) -> None:
        """Store a timestamp with the number of rows that were sent before it. The timestamp must be read first."""
        seconds = self._drained_until()
        self._mark = (seconds, self._n_put)

    def _has_rows(self) -> bool:
        return bool(self._parts) or self._is_closed

    def _has_a_batch(self) -> bool:
        return self._n_queued >= BATCH_ROWS or self._is_closed


def _split(published: PublishedRows) -> list[PublishedRows]:
    """Split rows into parts of at most one batch."""
    scored = published.scored
    parts = []
    for first in range(0, len(scored.scores), BATCH_ROWS):
        chosen = slice(first, first + BATCH_ROWS)
        part = ScoredRows(scored.rows[chosen], scored.scores[chosen], scored.labels[chosen], scored.confidences[chosen])
        first_row, position = published.first_row + first, published.position + first
        parts.append(replace(published, first_row=first_row, position=position, scored=part))
    return parts
