"""Puts the writer of records together, as the settings say."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from app.feedback_metrics import FeedbackMetrics
from app.recorder.batch_builder import BatchBuilder
from app.recorder.known_versions import KnownVersions
from app.recorder.record_store import RecordStore
from app.recorder.record_writer import RecordWriter
from app.recorder.row_queue import RowQueue
from app.recorder_metrics import RecorderMetrics
from app.records.known_segments import KnownSegments
from app.records.pace import Pace
from app.records.retention import Retention
from app.records.row_choice import RowChoice
from app.records.writable_database import WritableDatabase
from app.records_metrics import RecordsMetrics
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
    choice = RowChoice(settings.record_predictions, settings.audit_share)
    versions = KnownVersions(Path(settings.model_dir))
    pace = Pace(lambda: queue.n_rows)
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
