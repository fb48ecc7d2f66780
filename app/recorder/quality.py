"""Reports the quality of the live model's answers to Prometheus, from the database, once a minute."""

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

# Labels arrive by the hour, and alerts on them wait for minutes.
_INTERVAL_SECONDS = 60.0

# The writer may have to create the tables first.
_FIRST_UPDATE_SECONDS = 5.0

# A database that was restarted is back by then. Older figures could hide that the model has become worse.
_STALE_SECONDS = 600.0

# When the service ends, a query that hangs is abandoned.
_STOP_SECONDS = 2.0


class QualityWatch:
    """Estimates the quality of the live model's answers, in a thread of its own.

    The thread has the same priority as the recorder's others. With a lower one it could hold the interpreter lock while
    it waits for a processor, and the rows would wait for both.

    Parameters
    ----------
    database_url
        Where records are stored.
    window_days
        Length of the window that ends now.
    live_version
        Returns the version of the live model, or raises ``ModelUnavailable``.
    metrics
        Reports to Prometheus.
    clock
        A monotonic clock, in seconds.
    now
        Returns the current time, in seconds since 1970.
    maturity_hours
        Age from which rows count; 0 to estimate it.
    noise
        Assumed share of wrong labels of audited inliers.
    """

    def __init__(
        self,
        database_url: str,
        window_days: int,
        live_version: Callable[[], str],
        metrics: QualityMetrics,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        maturity_hours: int = 0,
        noise: float = 0.0,
    ) -> None:
        self._database_url, self._address = database_url, DatabaseAddress(database_url)
        self._window_seconds = window_days * SECONDS_PER_DAY
        self._live_version, self._metrics, self._clock, self._now = live_version, metrics, clock, now
        self._maturity_hours, self._noise = maturity_hours, noise
        self._engine: Engine | None = None
        self._updated_at = clock()
        self._problem = ""
        self._jobs = PeriodicJobs()
        self._jobs.add(self.update, _INTERVAL_SECONDS, _FIRST_UPDATE_SECONDS)

    def start(self) -> None:
        """Start the periodic update."""
        self._jobs.start()

    def stop(self) -> None:
        """Stop the periodic update."""
        self._jobs.stop(_STOP_SECONDS)

    def update(self) -> None:
        """Update the metrics. While that fails, the last figures stay for ten minutes and then become unknown."""
        try:
            with refusing_in_words(self._address):
                self._update()
        except RecordsUnavailable as error:
            self._log_once(str(error))
        else:
            self._updated_at, self._problem = self._clock(), ""
        finally:
            if self._clock() - self._updated_at > _STALE_SECONDS:
                self._metrics.forget()

    def _update(self) -> None:
        """Read the database and update the metrics."""
        self._engine = self._engine or open_database(self._database_url)
        with self._engine.connect() as connection:
            self._metrics.record_pending_audits(count_pending_audits(connection))
        try:
            version = self._live_version()
        except ModelUnavailable:
            self._metrics.forget_figures()
            return
        now = self._now()
        window = Window.around(now - self._window_seconds, now)
        reading = read_quality(self._engine, window, now, version, self._maturity_hours)
        self._metrics.record_model(version)
        self._report_quality(reading)

    def _report_quality(self, reading: QualityReading) -> None:
        """Estimate the figures and report them."""
        answers = reading.overall.answers
        self._metrics.record_figures(estimate_quality(answers, noise=self._noise))
        self._metrics.record_labels(len(answers.alarm_scores), len(answers.audit_scores))
        ratios: dict[str, OutlierRatio] = {}
        for name, group in reading.by_segment.items():
            # A caller may use the very name that stands for rows without a segment.
            shown = name or NO_SEGMENT
            ratios[shown] = ratios.get(shown, OutlierRatio(0, 0)) + group.outlier_ratio
        self._metrics.record_segments(ratios)

    def _log_once(self, problem: str) -> None:
        """Log a problem unless it is the last one that was logged."""
        if problem != self._problem:
            self._problem = problem
            log.error(
                "the quality of the answers cannot be estimated: %s Retrying every %d s; after %d s it counts as "
                "unknown.",
                *(problem, _INTERVAL_SECONDS, _STALE_SECONDS),
            )
