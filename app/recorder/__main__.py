"""The recorder process: ``python -m app.recorder DOOR NAME``, started and watched over by ``app.recorder.supervisor``.

``DOOR`` is the file descriptor of the socket that workers connect to, ``NAME`` the one under which this process writes
its metrics. Standard input is the lifeline.
"""

from __future__ import annotations

import logging.config
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from prometheus_client import CollectorRegistry

from app.drift.calibration import CVM, DETECTORS
from app.metrics.directory import folder_of_workers
from app.metrics.multiprocess import close_files, name_files_after
from app.metrics.recorder import RecorderMetrics
from app.metrics.records import REASONS, FeedbackMetrics, RecordsMetrics
from app.model.bundle import Bundle
from app.model.live_model import LiveModel
from app.model.worker_sync import WorkerSync
from app.recorder.drift import STATE_FILE, DriftMonitor, StateFolder, watch_model
from app.recorder.event_keeping import start_event_log
from app.recorder.no_records import NoRecords, RecordKeeper
from app.recorder.process import ignore_stop_signals
from app.recorder.server import RecorderServer, record
from app.recorder.start_quality_watch import start_quality_watch
from app.server.log_config import log_configuration
from app.server.scheduler import PeriodicJobs
from app.settings import Settings

# As often as the workers do: all then follow a new model within the same two seconds.
_LOOK_FOR_MODEL_SECONDS = 1.0

# Requests come first: where processors are scarce, rows wait in their queue.
_NICENESS = 5


def main(door: int, name: str) -> None:
    """Record until the service ends."""
    ignore_stop_signals()
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(_NICENESS)
    settings = Settings.from_environ()
    logging.config.dictConfig(log_configuration(settings.logs_as_text(sys.stderr), settings.log_level))
    folder = folder_of_workers()
    assert folder is not None  # the arbiter has named it
    name_files_after(name)
    registry = CollectorRegistry()
    metrics = RecorderMetrics(registry, DETECTORS, CVM)
    receiver = RecorderServer(socket.socket(fileno=door), sys.stdin.fileno())
    keeper = _start_keeping(settings, folder, receiver, registry, metrics)
    events = start_event_log(settings, registry)
    state = StateFolder(Path(settings.state_dir), in_memory=folder)
    monitor = DriftMonitor(folder, state, settings.drift_rows_per_second, metrics)

    def follow(before: Bundle | None, now: Bundle) -> None:
        keeper.follow(now)
        events.promoted(now.version)
        rate, days = settings.drift_rows_per_second, settings.drift_false_alarm_days
        monitor.follow(watch_model(now, rate, days, state.file_to_read(STATE_FILE)))

    def refuse() -> None:
        events.refused(model.problem)

    model = LiveModel(Path(settings.model_dir), follow, refuse, notes=WorkerSync(folder))
    model.refresh()
    stop_quality_watch = start_quality_watch(settings, registry, lambda: model.get().version)
    jobs = PeriodicJobs()
    jobs.add(model.refresh, _LOOK_FOR_MODEL_SECONDS)
    jobs.start()
    record(receiver, [monitor, keeper], folder)
    jobs.stop()
    stop_quality_watch()
    events.close()
    receiver.close()
    close_files()


def _start_keeping(
    settings: Settings, folder: Path, receiver: RecorderServer, registry: CollectorRegistry, metrics: RecorderMetrics
) -> RecordKeeper:
    """Keep records, if there are to be any."""
    is_wanted = settings.record_predictions > 0
    records_metrics, labels = RecordsMetrics(registry, REASONS, is_wanted), FeedbackMetrics(registry)
    if not is_wanted:
        return NoRecords(metrics)
    # Only now: without records, nobody needs SQLAlchemy and its 20 MB.
    from app.recorder.start_writer import start_record_writer

    return start_record_writer(settings, folder, lambda: receiver.emptied_until, metrics, records_metrics, labels)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
