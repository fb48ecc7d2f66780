"""What the recorder tells Prometheus of the answers' quality: it asks the database once a minute."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from sqlalchemy import Engine

from app.db.engine import open_database
from app.db.errors import refusing_in_words
from app.db.url import DatabaseAddress
from app.errors import ModelUnavailable, RecordsUnavailable
from app.metrics.quality import NO_SEGMENT, QualityMetrics
from app.quality.estimate import OutlierRatio, estimate_quality
from app.records.audits import count_pending_audits
from app.records.quality_query import QualityReading, read_quality
from app.records.timestamps import SECONDS_PER_DAY
from app.records.window import Window
from app.server.scheduler import PeriodicJobs

log = logging.getLogger(__name__)

# Labels come by the hour, and alerts on them wait for minutes.
_EVERY_SECONDS = 60.0

# The writer may have to make the tables first.
_FIRST_SECONDS = 5.0

# A database that was restarted is back by then. What is older could hide that the model has become worse.
_STALE_SECONDS = 600.0

# An answer from a database that hangs is not waited for when the service ends.
_STOP_SECONDS = 2.0


class QualityWatch:
    """Reads the quality of the live model's answers, in a thread of its own.

    The thread is no nicer than the recorder's others: while it had the interpreter lock and waited for a processor,
    the rows would wait for both.

    Parameters
    ----------
    database_url
        Where records are kept.
    window_days
        How far to look back.
    live_version
        Gives the version of the live model, or raises ``ModelUnavailable``.
    metrics
        Tell Prometheus.
    clock
        A clock that only goes forward, in seconds.
    now
        Seconds since 1970.
    """

    def __init__(
        self,
        database_url: str,
        window_days: int,
        live_version: Callable[[], str],
        metrics: QualityMetrics,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database_url, self._address = database_url, DatabaseAddress(database_url)
        self._window_seconds = window_days * SECONDS_PER_DAY
        self._live_version, self._metrics, self._clock, self._now = live_version, metrics, clock, now
        self._engine: Engine | None = None
        self._updated_at = clock()
        self._problem = ""
        self._jobs = PeriodicJobs()
        self._jobs.add(self.update, _EVERY_SECONDS, _FIRST_SECONDS)

    def start(self) -> None:
        """Begin."""
        self._jobs.start()

    def stop(self) -> None:
        """End."""
        self._jobs.stop(_STOP_SECONDS)

    def update(self) -> None:
        """Bring the metrics up to date; while that fails, old figures stay for a while and then are unknown."""
        try:
            with refusing_in_words(self._address):
                self._update()
        except RecordsUnavailable as error:
            self._say(str(error))
        else:
            self._updated_at, self._problem = self._clock(), ""
        finally:
            if self._clock() - self._updated_at > _STALE_SECONDS:
                self._metrics.forget()

    def _update(self) -> None:
        """Read the database, and tell what it says."""
        self._engine = self._engine or open_database(self._database_url)
        with self._engine.connect() as connection:
            self._metrics.record_pending_audits(count_pending_audits(connection))
        try:
            version = self._live_version()
        except ModelUnavailable:
            self._metrics.forget_figures()
            return
        window = Window.around(self._now() - self._window_seconds, self._now())
        self._tell_quality(read_quality(self._engine, window, version))

    def _tell_quality(self, reading: QualityReading) -> None:
        """Estimate the figures, and tell them."""
        answers = reading.overall.answers
        self._metrics.record_figures(estimate_quality(answers))
        self._metrics.record_labels(len(answers.alarm_scores), len(answers.audit_scores))
        ratios: dict[str, OutlierRatio] = {}
        for name, group in reading.by_segment.items():
            # A caller may name a segment as we name those that name none.
            shown = name or NO_SEGMENT
            ratios[shown] = ratios.get(shown, OutlierRatio(0, 0)) + group.outlier_ratio
        self._metrics.record_segments(ratios)

    def _say(self, problem: str) -> None:
        """Log a problem once."""
        if problem != self._problem:
            self._problem = problem
            log.error(
                "the quality of the answers cannot be read: %s It will be tried again every %d s; after %d s it counts "
                "as unknown.",
                *(problem, _EVERY_SECONDS, _STALE_SECONDS),
            )
