"""Puts the writer of records together, as the settings say."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from app.db.throttle import Throttle
from app.db.writable_database import WritableDatabase
from app.metrics.recorder import RecorderMetrics
from app.metrics.records import FeedbackMetrics, RecordsMetrics
from app.recorder.batch_builder import BatchBuilder
from app.recorder.store import RecordStore
from app.recorder.writer import RecordWriter, RowQueue
from app.records.retention import Retention
from app.records.sampling import RowSampler
from app.records.writing import KnownSegments, KnownVersions
from app.settings import Settings


def start_record_writer(
    settings: Settings,
    folder: Path,
    emptied_until: Callable[[], float],
    metrics: RecorderMetrics,
    records_metrics: RecordsMetrics,
    labels: FeedbackMetrics,
) -> RecordWriter:
    """Start the thread that writes; the database is opened there, so that nobody waits for it.

    Parameters
    ----------
    settings
        What is recorded, and where.
    folder
        The metrics folder, which tells this service from others on the machine.
    emptied_until
        Tells until when all rows that were sent have been taken, in seconds since 1970.
    metrics, records_metrics
        Tell Prometheus.
    labels
        Counts labels that waited for their record.
    """
    queue = RowQueue(emptied_until)
    segments = KnownSegments(settings.max_segments)
    choice = RowSampler(settings.record_predictions, settings.audit_share)
    versions = KnownVersions(Path(settings.model_dir))
    pace = Throttle(lambda: queue.n_rows)
    store = RecordStore(
        WritableDatabase(settings.database_url),
        # The same for all recorders of a service that follow each other.
        replica=f"{socket.gethostname()} {folder}",
        segments=segments,
        builder=BatchBuilder(choice, segments, settings.record_features, pace),
        versions=versions,
        retention=Retention(settings.record_retention_days),
        done_until=queue.done_until,
        pace=pace,
        metrics=records_metrics,
        labels=labels,
    )
    return RecordWriter(store, queue, versions, metrics, records_metrics)
