"""What the recorder does with the database: it writes batches, and what is due every so often."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.db.engine import write_transaction
from app.db.sqlite_maintenance import give_back_space, shorten_log
from app.db.throttle import Throttle
from app.db.writable_database import WritableDatabase
from app.db.writer_lock import WrittenByAnother
from app.errors import RecordsUnavailable
from app.metrics.records import UNKNOWN, FeedbackMetrics, RecordsMetrics
from app.recorder.batch_builder import BatchBuilder
from app.recorder.protocol import PublishedRows
from app.records.pending_labels import count_pending_labels, reconcile_labels
from app.records.retention import STEP_ROWS, Retention
from app.records.stats import read_contents
from app.records.writing import KnownSegments, KnownVersions, note_end, note_progress, was_committed

log = logging.getLogger(__name__)

# A caller that labels at once is told within two seconds whether the record is there.
_SETTLE_SECONDS = 1.0

# A recorder that is silent for five minutes is no longer waited for.
_PROGRESS_SECONDS = 60.0

# As often as Prometheus asks.
_LOOK_SECONDS = 15.0


class RecordStore:
    """Writes into the database; whatever fails may be tried again.

    Parameters
    ----------
    database
        Where records are kept.
    replica
        The name under which this recorder notes how far it has come.
    segments, builder, versions, retention
        What is recorded, and for how long.
    done_until
        Tells until when all rows are done with, if so many more are; see ``RowQueue``.
    pace
        Says when to rest.
    metrics
        Tell Prometheus.
    labels
        Counts the labels that waited, and found their record.
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
        pace: Throttle,
        metrics: RecordsMetrics,
        labels: FeedbackMetrics,
    ) -> None:
        self._database, self._replica, self._segments, self._builder = database, replica, segments, builder
        self._versions, self._retention, self._done_until, self._pace = versions, retention, done_until, pace
        self._metrics, self._labels = metrics, labels
        self._settle_due = self._progress_due = self._look_due = 0.0
        self._is_purging = self._is_shrinking = False
        # When the transaction began of which nobody said whether it was committed, and the rows that it kept.
        self._unsure: tuple[float, int] | None = None

    def seconds_until_due(self) -> float:
        """Tell after how long :meth:`keep_up` has something to do."""
        if self._is_purging or self._is_shrinking:
            return 0.0
        return max(0.0, min(self._settle_due, self._progress_due, self._look_due) - time.monotonic())

    def write(self, parts: Sequence[PublishedRows]) -> None:
        """Write rows in one transaction. If it failed, the same rows are to come next, at once or in parts."""
        engine = self._open()
        if self._was_committed_after_all(engine):
            return
        self._segments.learn(engine, {part.segment for part in parts})
        self._versions.note(engine, {part.version for part in parts})
        batch = self._builder.build(parts)
        now = time.time()
        self._unsure = (now, len(batch.predictions))
        with self._metrics.time_batch(), engine.begin() as connection:
            batch.insert(connection, self._pace)
            note_progress(connection, self._replica, self._done_until(batch.n_rows), now)
        self._unsure = None
        self._note_progress_later()
        self._metrics.record_kept(len(batch.predictions))

    def keep_up(self) -> None:
        """Do what is due, in short transactions; what fails has its next turn when it would have it anyway."""
        now, engine = time.monotonic(), self._open()
        if now >= self._progress_due:
            self._tell_progress(engine)
        if now >= self._settle_due:
            self._settle_due = now + _SETTLE_SECONDS
            self._versions.note(engine)
            self._settle(engine)
        if now >= self._look_due:
            self._look_due = now + _LOOK_SECONDS
            self._look(engine)
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
                is_there_more = give_back_space(connection)
            self._is_shrinking = is_there_more

    def explain(self, error: Exception) -> str:
        """Say in a sentence what an error means."""
        return self._database.explain(error)

    def reopen(self) -> None:
        """Begin with new connections, as the old ones may be of no use."""
        self._database.close()

    def end(self) -> None:
        """Note that this recorder writes nothing more, and let another one write."""
        with self._database.open().begin() as connection:
            note_progress(connection, self._replica, self._done_until(0), time.time())
            note_end(connection, self._replica, time.time())
        self._database.give_up()

    def _open(self) -> Engine:
        """Give the database. If it is another's to write, at least let everybody know which of our rows wait."""
        try:
            return self._database.open()
        except WrittenByAnother:
            with suppress(SQLAlchemyError, RecordsUnavailable), self._database.beside_another() as engine:
                self._tell_progress(engine)
            raise

    def _was_committed_after_all(self, engine: Engine) -> bool:
        """Tell whether the last transaction was committed, though its answer never came."""
        if self._unsure is None:
            return False
        with engine.connect() as connection:
            is_committed = was_committed(connection, self._replica, self._unsure[0])
        if is_committed:
            self._metrics.record_kept(self._unsure[1])
        self._unsure = None
        return is_committed

    def _settle(self, engine: Engine) -> None:
        """Let labels find their records, and tell workers which records will not come any more."""
        with engine.connect() as connection:
            n_labels = count_pending_labels(connection)
        self._metrics.record_pending_labels(n_labels)
        if n_labels == 0:
            return
        self._tell_progress(engine)
        with write_transaction(engine) as connection:
            settled, n_dropped = reconcile_labels(connection, time.time())
        for label in settled:
            self._labels.record_label(label.predicted, label.label, label.age_seconds)
        if n_dropped:
            self._labels.record_refused(UNKNOWN, n_dropped)
            log.warning("%d labels waited an hour for their records and are dropped", n_dropped)

    def _tell_progress(self, engine: Engine) -> None:
        """Note how far this recorder has come."""
        self._note_progress_later()
        with engine.begin() as connection:
            note_progress(connection, self._replica, self._done_until(0), time.time())

    def _note_progress_later(self) -> None:
        """Put the next note off: others see that this recorder lives."""
        self._progress_due = time.monotonic() + _PROGRESS_SECONDS

    def _look(self, engine: Engine) -> None:
        """Keep the database small, and tell how large and how old it is."""
        with engine.connect() as connection:
            shorten_log(connection)
            contents = read_contents(connection)
        self._metrics.record_contents(contents.n_bytes, contents.oldest, contents.last_label)
