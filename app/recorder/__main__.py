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
from app.feedback_metrics import FeedbackMetrics
from app.log_format import log_configuration
from app.metrics_archive import close_files, name_files_after
from app.metrics_folder import folder_of_workers
from app.model.bundle import Bundle
from app.model.current_model import CurrentModel
from app.model.shared_notes import SharedNotes
from app.periodic_jobs import PeriodicJobs
from app.recorder.drift_monitor import STATE_FILE, DriftMonitor
from app.recorder.event_keeping import start_event_log
from app.recorder.lifeline import leave_ending_to_the_arbiter
from app.recorder.no_records import NoRecords, RecordKeeper
from app.recorder.receiver import Receiver
from app.recorder.recording import record
from app.recorder.start_quality_watch import start_quality_watch
from app.recorder.state_folder import StateFolder
from app.recorder.watched_model import watch_model
from app.recorder_metrics import RecorderMetrics
from app.records.failure_reasons import REASONS
from app.records_metrics import RecordsMetrics
from app.settings import Settings

# As often as the workers do: all then follow a new model within the same two seconds.
_LOOK_FOR_MODEL_SECONDS = 1.0

# Requests come first: where processors are scarce, rows wait in their queue.
_NICENESS = 5


def main(door: int, name: str) -> None:
    """Record until the service ends."""
    leave_ending_to_the_arbiter()
    with suppress(OSError):  # a sandbox may forbid it
        os.nice(_NICENESS)
    settings = Settings.from_environ()
    logging.config.dictConfig(log_configuration(settings.logs_as_text(sys.stderr), settings.log_level))
    folder = folder_of_workers()
    assert folder is not None  # the arbiter has named it
    name_files_after(name)
    registry = CollectorRegistry()
    metrics = RecorderMetrics(registry, DETECTORS, CVM)
    receiver = Receiver(socket.socket(fileno=door), sys.stdin.fileno())
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

    model = CurrentModel(Path(settings.model_dir), follow, refuse, notes=SharedNotes(folder))
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
    settings: Settings, folder: Path, receiver: Receiver, registry: CollectorRegistry, metrics: RecorderMetrics
) -> RecordKeeper:
    """Keep records, if there are to be any."""
    is_wanted = settings.record_predictions > 0
    records_metrics, labels = RecordsMetrics(registry, REASONS, is_wanted), FeedbackMetrics(registry)
    if not is_wanted:
        return NoRecords(metrics)
    # Only now: without records, nobody needs SQLAlchemy and its 20 MB.
    from app.recorder.start_record_writer import start_record_writer

    return start_record_writer(settings, folder, lambda: receiver.emptied_until, metrics, records_metrics, labels)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
