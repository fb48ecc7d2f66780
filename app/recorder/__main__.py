"""The recorder process: ``python -m app.recorder LISTENER NAME``, run by ``app.recorder.supervisor``.

``LISTENER`` is the file descriptor of the socket that workers connect to, ``NAME`` the one under which this process
writes its metrics. Standard input is the shutdown pipe.
"""

from __future__ import annotations

import gc
import logging.config
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from app.drift.calibration import ALL_DETECTORS, NAMING_DETECTORS
from app.metrics.alarms import AlarmMetrics
from app.metrics.directory import folder_of_workers
from app.metrics.metrics_file import close_files, name_files_after
from app.metrics.quality import QualityMetrics
from app.metrics.recorder import RecorderMetrics
from app.metrics.records import REASONS, EventMetrics, FeedbackMetrics, RecordsMetrics
from app.model.bundle import Bundle
from app.model.live_model import LiveModel
from app.model.worker_sync import WorkerSync
from app.quality.estimate import METRICS
from app.recorder.drift import STATE_FILE, DriftRecorder, StateFolder, watch_model
from app.recorder.process import ignore_stop_signals
from app.recorder.server import RecorderServer, RowTaker, record
from app.records.timestamps import SECONDS_PER_DAY
from app.server.log_config import log_configuration
from app.server.scheduler import PeriodicJobs
from app.settings import Settings

if TYPE_CHECKING:
    from app.recorder.records import RecordKeeping

# As often as the workers do: all then follow a new model within the same two seconds.
_MODEL_CHECK_SECONDS = 1.0

# Requests come first: where processors are scarce, rows wait in their queue.
_NICENESS = 5


def main(listener: int, name: str) -> None:
    """Record until the service ends."""
    ignore_stop_signals()
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(_NICENESS)
    settings = Settings.from_environ()
    logging.config.dictConfig(log_configuration(settings.logs_as_text(sys.stderr), settings.log_level))
    folder = folder_of_workers()
    assert folder is not None  # set by the arbiter
    name_files_after(name)
    registry = CollectorRegistry()
    metrics = RecorderMetrics(registry, ALL_DETECTORS, NAMING_DETECTORS)
    server = RecorderServer(socket.socket(fileno=listener), sys.stdin.fileno())

    def live_version() -> str:
        return model.get().version

    def on_swapped(before: Bundle | None, now: Bundle) -> None:
        if records is not None:
            records.follow(now, model.link_made_ns)
        rate, days = settings.drift_rows_per_second, settings.drift_false_alarm_days
        drift.follow(watch_model(now, rate, days, state.file_to_read(STATE_FILE)))

    def on_refused() -> None:
        if records is not None:
            records.refused(model.problem, model.link_made_ns)

    records = _make_record_keeping(settings, folder, server, live_version, registry, metrics)
    state = StateFolder(Path(settings.state_dir), in_memory=folder)
    drift = DriftRecorder(folder, state, settings.drift_rows_per_second, metrics)
    model = LiveModel(Path(settings.model_dir), on_swapped, on_refused, notes=WorkerSync(folder))
    model.refresh()
    jobs = PeriodicJobs()
    jobs.add(model.refresh, _MODEL_CHECK_SECONDS)
    jobs.start()
    # Modules live as long as this process. Going through them takes 50 ms, in which no row is received.
    gc.freeze()
    takers: list[RowTaker] = [drift]
    if records is None:
        record(server, takers, folder, count_rows=metrics.record_rows)
    else:
        records.start()
        # The writer counts rows itself, once they are committed.
        record(server, [*takers, records.writer], folder)
    jobs.stop()
    if records is not None:
        records.close()
    server.close()
    close_files()
    # As in a worker (gunicorn.conf.py): collecting garbage would delay the end.
    gc.freeze()


def _make_record_keeping(
    settings: Settings,
    folder: Path,
    server: RecorderServer,
    live_version: Callable[[], str],
    registry: CollectorRegistry,
    metrics: RecorderMetrics,
) -> RecordKeeping | None:
    """Return what uses the database, or None if records are off; their metrics are registered in both cases."""
    is_enabled = settings.record_predictions > 0
    records_metrics, labels = RecordsMetrics(registry, REASONS, is_enabled), FeedbackMetrics(registry)
    alarms, events = AlarmMetrics(registry), EventMetrics(registry)
    quality = QualityMetrics(registry, METRICS, settings.model_max_age_days * SECONDS_PER_DAY)
    if not is_enabled:
        return None
    # Imported late: without records, nobody needs SQLAlchemy and its 20 MB.
    from app.recorder.records import RecordKeeping, RecordsReports

    reports = RecordsReports(records_metrics, labels, alarms, events, quality)
    return RecordKeeping(
        settings, folder, lambda: server.drained_until, live_version, metrics, reports, server.acknowledge
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
