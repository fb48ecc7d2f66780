"""Writes every row into the database, in a thread of its own: the recorder's loop never waits for it.

Rows that wait in memory for the database: bounded, and never waited for by whoever puts them in.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy.exc import StatementError

from app.db.errors import is_fault_of_rows, reason_of
from app.db.ids import make_record_id
from app.metrics.recorder import RecorderMetrics
from app.metrics.records import SCHEMA, UNREACHABLE, RecordsMetrics
from app.model.bundle import Bundle
from app.model.scoring import ScoredRows
from app.recorder.no_records import RecordKeeper
from app.recorder.protocol import PublishedRows
from app.recorder.store import RecordStore
from app.records.writing import KnownVersions

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
        self._parts: deque[PublishedRows] = deque()
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

    def put(self, handed: PublishedRows) -> bool:
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

    def take_batch(self, seconds: float) -> list[PublishedRows]:
        """Wait for a row, at most so long, and then a moment for more of them; give at most ``BATCH_ROWS`` rows.

        They are not done with before :meth:`finish` is called.
        """
        with self._changed:
            if self._changed.wait_for(self._has_rows, seconds) and self._n_waiting:
                self._changed.wait_for(self._has_a_batch, BATCH_SECONDS)
            batch: list[PublishedRows] = []
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


def _split(handed: PublishedRows) -> list[PublishedRows]:
    """Cut rows into parts of at most a batch."""
    scored = handed.scored
    parts = []
    for first in range(0, len(scored.scores), BATCH_ROWS):
        chosen = slice(first, first + BATCH_ROWS)
        part = ScoredRows(scored.rows[chosen], scored.scores[chosen], scored.labels[chosen], scored.confidences[chosen])
        parts.append(replace(handed, first_row=handed.first_row + first, scored=part))
    return parts


log = logging.getLogger(__name__)

# After a failure; twice as long after each further one, so that a database in trouble is not troubled more, but never
# so long that somebody who mended it wonders.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 2.0

# What is left when the service ends is written in this time, or given up; the supervisor kills after five seconds.
_ENDING_SECONDS = 2.0


class RecordWriter(RecordKeeper):
    """Takes rows from the recorder's loop and writes them, in the order of their coming.

    Parameters
    ----------
    store
        Writes.
    queue
        Where rows wait meanwhile.
    versions
        Notes what the rows of a model consist of.
    metrics
        Count the rows that are dealt with.
    records_metrics
        Tell how well the database does.
    """

    def __init__(
        self,
        store: RecordStore,
        queue: RowQueue,
        versions: KnownVersions,
        metrics: RecorderMetrics,
        records_metrics: RecordsMetrics,
    ) -> None:
        self._store, self._queue, self._versions = store, queue, versions
        self._metrics, self._records_metrics = metrics, records_metrics
        self._ending = threading.Event()
        self._end_by = float("inf")
        self._problem, self._pause = "", _FIRST_PAUSE_SECONDS
        self._thread = threading.Thread(target=self._run, name="record-writer", daemon=True)
        self._thread.start()

    def follow(self, bundle: Bundle) -> None:
        """Have it noted what the rows of a model consist of."""
        self._versions.follow(bundle)

    def take(self, handed: PublishedRows) -> None:
        """Put rows into the queue; without room there, they are given up."""
        if not handed.record_id:  # a worker of the version before makes none
            handed = replace(handed, record_id=make_record_id())
        if not self._queue.put(handed):
            self._records_metrics.record_dropped_rows(len(handed.scored.scores))

    def tick(self) -> None:
        """Tell how many rows wait."""
        self._records_metrics.record_pending_rows(self._queue.n_rows)

    def finish(self) -> None:
        """Write what waits, as far as the database lets us."""
        self._end_by = time.monotonic() + _ENDING_SECONDS
        self._queue.close()
        self._ending.set()
        # A little longer: an attempt may just be waiting for a lock.
        self._thread.join(_ENDING_SECONDS + _FIRST_PAUSE_SECONDS)
        if n_rows := self._queue.n_rows:
            log.error("%d rows are not recorded: the service ended before the database took them", n_rows)
            self._records_metrics.record_dropped_rows(n_rows)

    def _run(self) -> None:
        """Write until the service has ended and no row is left, or none can be written any more."""
        while True:
            batch = self._queue.take_batch(self._store.seconds_until_due())
            if batch and not self._deal_with(batch):
                return
            if not batch and self._ending.is_set():
                break
            if self._attempt(self._store.keep_up) is not None:
                self._pause_longer_each_time()
        self._attempt(self._store.end)

    def _deal_with(self, parts: Sequence[PublishedRows]) -> bool:
        """Write rows; if they are the trouble, each request by itself. False if the service ended before that."""
        n_rows = sum(len(part.scored.scores) for part in parts)
        while (error := self._attempt(lambda: self._store.write(parts))) is not None:
            if is_fault_of_rows(error):
                if len(parts) > 1:
                    return all(self._deal_with([part]) for part in parts)
                log.error("%d rows of record %s cannot be recorded", n_rows, parts[0].record_id)
                self._records_metrics.record_dropped_rows(n_rows)
                self._queue.finish(n_rows)
                return True
            self._pause_longer_each_time()
            if time.monotonic() > self._end_by:
                return False
        self._queue.finish(n_rows)
        self._metrics.record_rows(n_rows)
        return True

    def _pause_longer_each_time(self) -> None:
        """Leave a database in trouble alone for a while, but not beyond the end of the service."""
        self._ending.wait(self._pause)
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)

    def _attempt(self, something: Callable[[], None]) -> Exception | None:
        """Try something with the database, and note whether it works."""
        try:
            something()
        except Exception as error:  # whatever it is, the next rows are to be recorded
            self._note_failure(error)
            return error
        if self._problem:
            log.info("the database of records works again; %d rows wait", self._queue.n_rows)
        self._problem, self._pause = "", _FIRST_PAUSE_SECONDS
        self._records_metrics.record_success()
        return None

    def _note_failure(self, error: Exception) -> None:
        """Count a failure, and say it once."""
        reason = reason_of(error)
        self._records_metrics.record_failure(reason)
        if is_fault_of_rows(error):
            # The database is well. What SQLAlchemy says holds values of rows, which no log is to hold.
            is_ours = not isinstance(error, StatementError)
            log.error("a batch of records was refused", exc_info=error if is_ours else None)
            return
        problem = self._store.explain(error)
        if problem != self._problem:
            self._problem = problem
            log.error("records are not written, and wait in memory: %s", problem)
        if reason in (SCHEMA, UNREACHABLE):
            self._store.reopen()
