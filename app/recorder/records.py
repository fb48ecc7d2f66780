"""The parts of the recorder that use the database, put together: rows, the audit trail of models, and quality.

Imported only if records are on: SQLAlchemy takes 20 MB.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.db.bulk_insert import Throttle
from app.db.writable_database import WritableDatabase
from app.metrics.alarms import AlarmMetrics
from app.metrics.quality import QualityMetrics
from app.metrics.recorder import RecorderMetrics
from app.metrics.records import EventMetrics, FeedbackMetrics, RecordsMetrics
from app.model.bundle import Bundle
from app.recorder.alarms import AlarmExplainer
from app.recorder.batch import BatchBuilder, RowSampler
from app.recorder.events import EventLog
from app.recorder.quality import QualityWatch
from app.recorder.row_queue import RowQueue
from app.recorder.store import RecordStore
from app.recorder.writer import RecordWriter
from app.records.retention import Retention
from app.records.writing import KnownSegments, KnownVersions
from app.settings import Settings


@dataclass(frozen=True)
class RecordsReports:
    """Metrics about records. They are registered even if records are off, so that their series always exist."""

    records: RecordsMetrics
    labels: FeedbackMetrics
    alarms: AlarmMetrics
    events: EventMetrics
    quality: QualityMetrics


class RecordKeeping:
    """Records rows and what happens to models, and estimates quality, each in a thread of its own.

    Parameters
    ----------
    settings
        What is recorded, and where.
    folder
        The metrics folder, which identifies this service among others on the machine.
    drained_until
        Returns the time up to which all rows that workers sent were received, in seconds since 1970.
    live_version
        Returns the version of the live model, or raises ``ModelUnavailable``.
    metrics, reports
        Report to Prometheus.
    acknowledge
        See ``RecordWriter``.

    Attributes
    ----------
    writer
        Takes rows.
    """

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        drained_until: Callable[[], float],
        live_version: Callable[[], str],
        metrics: RecorderMetrics,
        reports: RecordsReports,
        acknowledge: Callable[[str, int], None],
    ) -> None:
        self.writer = start_writer(
            settings, folder, drained_until, metrics, reports.records, reports.labels, reports.alarms, acknowledge
        )
        self._events = EventLog(Path(settings.model_dir), settings.database_url, reports.events)
        self._quality = QualityWatch(
            settings.database_url,
            settings.quality_window_days,
            live_version,
            reports.quality,
            maturity_hours=settings.label_maturity_hours,
            noise=settings.label_noise,
        )

    def start(self) -> None:
        """Start the audit trail and the quality reports; the writer has started already."""
        self._events.start()
        self._quality.start()

    def follow(self, bundle: Bundle, link_made_ns: int | None) -> None:
        """Record that a model went live, and which features its rows have; may be called by another thread."""
        self.writer.follow(bundle)
        self._events.promoted(bundle.version, link_made_ns)

    def refused(self, reason: str, link_made_ns: int | None) -> None:
        """Record that the bundle was refused to which the link led that was made at this time."""
        self._events.refused(reason, link_made_ns)

    def close(self) -> None:
        """Stop the audit trail and the quality reports; ``RecordWriter.finish`` stops the writer."""
        self._quality.stop()
        self._events.close()


def start_writer(
    settings: Settings,
    folder: Path,
    drained_until: Callable[[], float],
    metrics: RecorderMetrics,
    records_metrics: RecordsMetrics,
    labels: FeedbackMetrics,
    alarms: AlarmMetrics,
    acknowledge: Callable[[str, int], None] = lambda worker, position: None,
) -> RecordWriter:
    """Start the thread that writes rows; it opens the database itself, so that nobody waits for that.

    Parameters are those of :class:`RecordKeeping`; ``labels`` counts labels that were given before their record,
    ``alarms`` explained outliers.
    """
    queue = RowQueue(drained_until)
    segments = KnownSegments(settings.max_segments)
    sampler = RowSampler(settings.record_predictions, settings.audit_share)
    versions = KnownVersions(Path(settings.model_dir))
    throttle = Throttle(lambda: queue.n_rows)
    explainer = AlarmExplainer(alarms, settings.record_features, throttle)
    store = RecordStore(
        WritableDatabase(settings.database_url),
        # The same for all recorders of a service that succeed each other.
        replica=f"{socket.gethostname()} {folder}",
        segments=segments,
        builder=BatchBuilder(sampler, segments, settings.record_features, throttle, explainer),
        versions=versions,
        retention=Retention(settings.record_retention_days),
        done_until=queue.done_until,
        throttle=throttle,
        metrics=records_metrics,
        labels=labels,
        alarms=explainer,
    )
    return RecordWriter(store, queue, versions, explainer, metrics, records_metrics, acknowledge)
