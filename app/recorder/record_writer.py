"""Writes every row into the database, in a thread of its own: the recorder's loop never waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy.exc import StatementError

from app.model.bundle import Bundle
from app.recorder.handed_rows import HandedRows
from app.recorder.known_versions import KnownVersions
from app.recorder.no_records import RecordKeeper
from app.recorder.record_store import RecordStore
from app.recorder.row_queue import RowQueue
from app.recorder_metrics import RecorderMetrics
from app.records.failure_reasons import SCHEMA, UNREACHABLE
from app.records.record_id import make_record_id
from app.records.write_failure import is_fault_of_rows, reason_of
from app.records_metrics import RecordsMetrics

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

    def take(self, handed: HandedRows) -> None:
        """Put rows into the queue; without room there, they are given up."""
        if not handed.record_id:  # a worker of the version before makes none
            handed = replace(handed, record_id=make_record_id())
        if not self._queue.put(handed):
            self._records_metrics.record_given_up(len(handed.scored.scores))

    def tick(self) -> None:
        """Tell how many rows wait."""
        self._records_metrics.record_waiting_rows(self._queue.n_rows)

    def finish(self) -> None:
        """Write what waits, as far as the database lets us."""
        self._end_by = time.monotonic() + _ENDING_SECONDS
        self._queue.close()
        self._ending.set()
        # A little longer: an attempt may just be waiting for a lock.
        self._thread.join(_ENDING_SECONDS + _FIRST_PAUSE_SECONDS)
        if n_rows := self._queue.n_rows:
            log.error("%d rows are not recorded: the service ended before the database took them", n_rows)
            self._records_metrics.record_given_up(n_rows)

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

    def _deal_with(self, parts: Sequence[HandedRows]) -> bool:
        """Write rows; if they are the trouble, each request by itself. False if the service ended before that."""
        n_rows = sum(len(part.scored.scores) for part in parts)
        while (error := self._attempt(lambda: self._store.write(parts))) is not None:
            if is_fault_of_rows(error):
                if len(parts) > 1:
                    return all(self._deal_with([part]) for part in parts)
                log.error("%d rows of record %s cannot be recorded", n_rows, parts[0].record_id)
                self._records_metrics.record_given_up(n_rows)
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
