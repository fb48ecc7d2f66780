"""Writes every row into the database, in a thread of its own: the recorder's loop never waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy.exc import StatementError

from app.db.errors import is_fault_of_rows, reason_of
from app.db.ids import make_record_id
from app.errors import count_of
from app.metrics.recorder import RecorderMetrics
from app.metrics.records import SCHEMA, UNREACHABLE, RecordsMetrics
from app.model.bundle import Bundle
from app.recorder.alarms import AlarmExplainer
from app.recorder.protocol import PublishedRows, end_positions
from app.recorder.row_queue import RowQueue
from app.recorder.store import RecordStore
from app.records.writing import KnownVersions

log = logging.getLogger(__name__)

# The pause after a failure doubles each time, so that a database in trouble gets no extra load, but it stays short
# enough that writing resumes soon after a fix.
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.1, 2.0

# Rows that are pending when the service ends are written within this time or dropped; the supervisor kills after five
# seconds.
_SHUTDOWN_SECONDS = 2.0

# Dropped rows are logged often enough to be noticed, without a flood.
_WARNING_SECONDS = 60.0


class RecordWriter:
    """Takes rows from the recorder's loop and writes them in the order of their arrival.

    Parameters
    ----------
    store
        Writes to the database.
    queue
        Holds pending rows.
    versions
        Stores which features the rows of a model have.
    alarms
        Explains the outliers of a model.
    metrics
        Counts rows that were written or dropped.
    records_metrics
        Reports the health of the database.
    acknowledge
        Called with a worker and the position up to which its rows are committed or dropped.
    """

    def __init__(
        self,
        store: RecordStore,
        queue: RowQueue,
        versions: KnownVersions,
        alarms: AlarmExplainer,
        metrics: RecorderMetrics,
        records_metrics: RecordsMetrics,
        acknowledge: Callable[[str, int], None],
    ) -> None:
        self._store, self._queue, self._versions, self._alarms = store, queue, versions, alarms
        self._metrics, self._records_metrics, self._acknowledge = metrics, records_metrics, acknowledge
        self._ending = threading.Event()
        self._deadline = float("inf")
        self._problem, self._pause = "", _FIRST_PAUSE_SECONDS
        self._unreported, self._warning_due = 0, 0.0
        self._thread = threading.Thread(target=self._run, name="record-writer", daemon=True)
        self._thread.start()

    def follow(self, bundle: Bundle) -> None:
        """Store which features the rows of a model have, and explain its alarms; may be called by another thread."""
        self._versions.follow(bundle)
        self._alarms.follow(bundle)

    def take(self, published: PublishedRows) -> None:
        """Queue rows; drop them if the queue is full."""
        if not published.record_id:  # a worker of an older release makes none
            published = replace(published, record_id=make_record_id())
        if not self._queue.put(published):
            self._records_metrics.record_dropped_rows(len(published.scored.scores))
            self._unreported += len(published.scored.scores)

    def tick(self) -> None:
        """Report the number of pending rows, and those that were dropped."""
        self._records_metrics.record_pending_rows(self._queue.n_rows)
        if self._unreported and time.monotonic() >= self._warning_due:
            log.error("%s dropped, not recorded: too many were pending", count_of(self._unreported, "row"))
            self._unreported, self._warning_due = 0, time.monotonic() + _WARNING_SECONDS

    def finish(self) -> None:
        """Write pending rows, as far as the database allows."""
        self._deadline = time.monotonic() + _SHUTDOWN_SECONDS
        self._queue.close()
        self._ending.set()
        # A little longer: an attempt may be waiting for a lock.
        self._thread.join(_SHUTDOWN_SECONDS + _FIRST_PAUSE_SECONDS)
        if n_rows := self._queue.n_rows:
            log.error("%s dropped, not recorded: the service ended first", count_of(n_rows, "row"))
            self._records_metrics.record_dropped_rows(n_rows)

    def _run(self) -> None:
        """Write until the service has ended and no row is pending, or none can be written any more."""
        while True:
            batch = self._queue.take_batch(self._store.seconds_until_due())
            if batch and not self._write(batch):
                return
            if not batch and self._ending.is_set():
                break
            if self._attempt(self._store.run_due_jobs) is not None:
                self._back_off()
        self._attempt(self._store.close)

    def _write(self, parts: Sequence[PublishedRows]) -> bool:
        """Write rows; if they are at fault, each request by itself. Return False if the service ended first."""
        n_rows = sum(len(part.scored.scores) for part in parts)
        n_new: list[int] = []
        while (error := self._attempt(lambda: n_new.append(self._store.write(parts)))) is not None:
            if is_fault_of_rows(error):
                if len(parts) > 1:
                    return all(self._write([part]) for part in parts)
                log.error("%s of record %s cannot be recorded", count_of(n_rows, "row"), parts[0].record_id)
                self._records_metrics.record_dropped_rows(n_rows)
                self._finish(parts, n_rows)
                return True
            self._back_off()
            if time.monotonic() > self._deadline:
                return False
        self._metrics.record_rows(sum(n_new))
        self._finish(parts, n_rows)
        return True

    def _finish(self, parts: Sequence[PublishedRows], n_rows: int) -> None:
        """Count rows as done, and tell the workers that sent them to forget them."""
        self._queue.finish(n_rows)
        for worker, position in end_positions(parts).items():
            self._acknowledge(worker, position)

    def _back_off(self) -> None:
        """Pause after a failure, longer each time, but not beyond the end of the service."""
        self._ending.wait(self._pause)
        self._pause = min(2 * self._pause, _MAX_PAUSE_SECONDS)

    def _attempt(self, action: Callable[[], None]) -> Exception | None:
        """Run something that uses the database; return the error if it fails."""
        try:
            action()
        except Exception as error:  # whatever it is, later rows must be recorded
            self._record_failure(error)
            return error
        if self._problem:
            log.info("the database of records works again; pending: %s", count_of(self._queue.n_rows, "row"))
        self._problem, self._pause = "", _FIRST_PAUSE_SECONDS
        self._records_metrics.record_success()
        return None

    def _record_failure(self, error: Exception) -> None:
        """Count a failure, and log a new problem once."""
        reason = reason_of(error)
        self._records_metrics.record_failure(reason)
        if is_fault_of_rows(error):
            # The database is fine. SQLAlchemy's message holds values of rows, which must not reach a log.
            is_ours = not isinstance(error, StatementError)
            log.error("a batch of records was refused", exc_info=error if is_ours else None)
            return
        problem = self._store.explain(error)
        if problem != self._problem:
            self._problem = problem
            log.error("records are not written and stay pending in memory: %s", problem)
        if reason in (SCHEMA, UNREACHABLE):
            self._store.reopen()
