"""What the recorder does with the database: it writes batches, and runs jobs that are due every so often."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.db.bulk_insert import Throttle
from app.db.engine import write_transaction
from app.db.sqlite_maintenance import give_back_space, save_log, shorten_log
from app.db.writable_database import WritableDatabase
from app.db.writer_lock import WrittenByAnother
from app.errors import RecordsUnavailable, count_of
from app.metrics.records import UNKNOWN, FeedbackMetrics, RecordsMetrics
from app.recorder.alarms import AlarmExplainer, ExplainedAlarms
from app.recorder.batch import BatchBuilder
from app.recorder.protocol import PublishedRows, end_positions
from app.records.pending_labels import count_pending_labels, reconcile_labels
from app.records.retention import STEP_ROWS, Retention
from app.records.stats import read_contents
from app.records.writing import Deliveries, KnownSegments, KnownVersions, record_end, record_progress, was_committed

log = logging.getLogger(__name__)

# A caller that labels an answer at once learns within two seconds whether the record exists.
_RECONCILE_SECONDS = 1.0

# Workers stop waiting for a recorder that has reported nothing for five minutes.
_PROGRESS_SECONDS = 60.0

# As often as Prometheus scrapes.
_MAINTENANCE_SECONDS = 15.0


class RecordStore:
    """Writes to the database; whatever fails may be tried again.

    Parameters
    ----------
    database
        Where records are stored.
    replica
        The name under which this recorder reports its progress.
    segments, builder, versions, retention
        What is recorded, and for how long.
    done_until
        Returns the time up to which all rows are done, given how many more to count as done; see ``RowQueue``.
    throttle
        Pauses between small pieces of work.
    metrics
        Reports to Prometheus.
    labels
        Counts pending labels once their record is there.
    alarms
        Counts explained alarms once they are committed.
    """

    def __init__(
        self,
        database: WritableDatabase,
        replica: str,
        segments: KnownSegments,
        builder: BatchBuilder,
        versions: KnownVersions,
        retention: Retention,
        done_until: Callable[[int], float],
        throttle: Throttle,
        metrics: RecordsMetrics,
        labels: FeedbackMetrics,
        alarms: AlarmExplainer,
    ) -> None:
        self._database, self._replica, self._segments, self._builder = database, replica, segments, builder
        self._versions, self._retention, self._done_until, self._throttle = versions, retention, done_until, throttle
        self._metrics, self._labels, self._alarms = metrics, labels, alarms
        self._deliveries = Deliveries()
        self._reconcile_due = self._progress_due = self._maintenance_due = 0.0
        self._is_purging = self._is_shrinking = False
        # The start of a transaction whose COMMIT got no answer, and how many rows it recorded.
        self._unsure: tuple[float, int] | None = None
        # The last commit, and how many rows are perhaps only in SQLite's write-ahead log.
        self._committed: tuple[Engine, float] | None = None
        self._n_unsaved = 0

    def seconds_until_due(self) -> float:
        """Return after how long :meth:`run_due_jobs` has something to do."""
        if self._is_purging or self._is_shrinking:
            return 0.0
        return max(0.0, min(self._reconcile_due, self._progress_due, self._maintenance_due) - time.monotonic())

    def write(self, parts: Sequence[PublishedRows]) -> int:
        """Write rows in one transaction, except those that were written before the recorder was restarted.

        After a failure the same rows must come next, at once or in parts.

        Returns
        -------
        The number of rows that were new.
        """
        engine = self._open()
        n_rows = sum(len(part.scored.scores) for part in parts)
        if self._was_committed_after_all(engine):
            self._deliveries.forget()
            return n_rows
        done = self._deliveries.read(engine, {part.worker for part in parts})
        parts = [part for part in parts if not part.worker or part.position >= done[part.worker]]
        if not parts:
            return 0
        positions = end_positions(parts)
        self._segments.learn(engine, {part.segment for part in parts})
        self._versions.store(engine, {part.version for part in parts})
        batch = self._builder.build(parts, explained := ExplainedAlarms())
        now = time.time()
        self._unsure = (now, len(batch.predictions))
        with self._metrics.time_batch(), engine.begin() as connection:
            self._verify_last_commit(connection)
            batch.insert(connection, self._throttle)
            self._deliveries.store(connection, positions, now)
            record_progress(connection, self._replica, self._done_until(n_rows), now)
        self._unsure = None
        self._deliveries.committed(positions)
        self._note_commit(engine, now, len(batch.predictions))
        self._postpone_progress()
        self._metrics.record_kept(len(batch.predictions))
        if explained.contributions or explained.others:
            self._alarms.committed(explained)
        return batch.n_rows

    def run_due_jobs(self) -> None:
        """Run the jobs that are due, in short transactions; a job that fails runs again at its usual time."""
        now, engine = time.monotonic(), self._open()
        if now >= self._progress_due:
            self._record_progress(engine)
        if now >= self._reconcile_due:
            self._reconcile_due = now + _RECONCILE_SECONDS
            self._versions.store(engine)
            self._reconcile(engine)
        if now >= self._maintenance_due:
            self._maintenance_due = now + _MAINTENANCE_SECONDS
            self._maintain(engine)
            self._is_purging = self._is_shrinking = True
        if self._is_purging:
            self._is_purging = False
            with write_transaction(engine) as connection:
                n_rows = self._retention.purge_step(connection)
            self._metrics.record_purged(n_rows)
            self._is_purging = n_rows >= STEP_ROWS
        elif self._is_shrinking:
            self._is_shrinking = False
            with engine.connect() as connection:
                has_more = give_back_space(connection)
            self._is_shrinking = has_more

    def explain(self, error: Exception) -> str:
        """Return a sentence that explains an error of the database."""
        return self._database.explain(error)

    def reopen(self) -> None:
        """Open new connections at the next use, as the old ones may be broken."""
        self._database.close()

    def close(self) -> None:
        """Record that this recorder writes nothing more, and let another one write."""
        with self._database.open().begin() as connection:
            record_progress(connection, self._replica, self._done_until(0), time.time())
            record_end(connection, self._replica, time.time())
        self._database.release()

    def _open(self) -> Engine:
        """Open the database. If another recorder writes to it, still record how far this one has come."""
        try:
            return self._database.open()
        except WrittenByAnother:
            with suppress(SQLAlchemyError, RecordsUnavailable), self._database.open_unlocked() as engine:
                self._record_progress(engine)
            raise

    def _was_committed_after_all(self, engine: Engine) -> bool:
        """Return whether the last transaction was committed although its COMMIT got no answer."""
        if self._unsure is None:
            return False
        with engine.connect() as connection:
            is_committed = was_committed(connection, self._replica, self._unsure[0])
        if is_committed:
            self._metrics.record_kept(self._unsure[1])
        self._unsure = None
        return is_committed

    def _reconcile(self, engine: Engine) -> None:
        """Match pending labels with their records, and tell workers how far this recorder has come."""
        with engine.connect() as connection:
            n_labels = count_pending_labels(connection)
        self._metrics.record_pending_labels(n_labels)
        if n_labels == 0:
            return
        self._record_progress(engine)
        with write_transaction(engine) as connection:
            reconciled, n_dropped = reconcile_labels(connection, self._retention.clock.read(connection))
        for label in reconciled:
            self._labels.record_label(label.predicted, label.label, label.age_seconds)
        if n_dropped:
            self._labels.record_refused(UNKNOWN, n_dropped)
            log.warning("%s dropped: no record appeared within an hour", count_of(n_dropped, "label"))

    def _record_progress(self, engine: Engine) -> None:
        """Record how far this recorder has come."""
        self._postpone_progress()
        now = time.time()
        with engine.begin() as connection:
            self._verify_last_commit(connection)
            record_progress(connection, self._replica, self._done_until(0), now)
        self._note_commit(engine, now, 0)

    def _verify_last_commit(self, connection: Connection) -> None:
        """Check that the last commit is there: files of SQLite that somebody removed may have held it."""
        if (
            connection.dialect.name != "sqlite"
            or self._committed is None
            or self._committed[0] is not connection.engine
        ):
            return
        if not was_committed(connection, self._replica, self._committed[1]):
            log.error("up to %d rows that were recorded are not in the database any more", self._n_unsaved)
            self._metrics.record_dropped_rows(self._n_unsaved)
            self._n_unsaved = 0

    def _note_commit(self, engine: Engine, now: float, n_rows: int) -> None:
        """Remember a commit, which the next transaction verifies."""
        if self._committed is None or self._committed[0] is not engine:  # another file, or after an outage
            self._n_unsaved = 0
        self._committed, self._n_unsaved = (engine, now), self._n_unsaved + n_rows

    def _postpone_progress(self) -> None:
        """Postpone the next progress report: others have just seen that this recorder is alive."""
        self._progress_due = time.monotonic() + _PROGRESS_SECONDS

    def _maintain(self, engine: Engine) -> None:
        """Shorten the write-ahead log, and report the size and age of the database."""
        with engine.connect() as connection:
            shorten_log(connection)
            if save_log(connection):
                self._n_unsaved = 0
            contents = read_contents(connection)
        self._metrics.record_contents(contents.n_bytes, contents.oldest, contents.last_label)
