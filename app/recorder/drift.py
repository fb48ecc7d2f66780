"""What the recorder does about drift: it feeds a sample to the detectors, and tells everybody what they say.

Where the recorder keeps what a restart needs: in the configured folder, or in memory where that cannot be had.

The model that the recorder watches, with its detectors, or the reason why it has none.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.drift.calibration import Calibration
from app.drift.detector import Kind
from app.drift.monitor import Checks, DriftWatch, Finding
from app.drift.state_file import restore_state, save_state
from app.errors import InvalidBundle
from app.metrics.recorder import RecorderMetrics
from app.model.bundle import DRIFT_FILE, REFERENCE_FILE, Bundle
from app.recorder.drift_sample import RowSample
from app.recorder.protocol import PublishedRows
from app.recorder.status import write_report

log = logging.getLogger(__name__)

_LOCK_FILE = "owner.lock"


class StateFolder:
    """The folder for state, once it belongs to this recorder.

    Parameters
    ----------
    wanted
        Where state outlives the service.
    in_memory
        Where it outlives the recorder only: for a folder that cannot be written, or that another service has.
    """

    def __init__(self, wanted: Path, in_memory: Path) -> None:
        self._wanted, self._in_memory = wanted, in_memory
        self._lock: int | None = None
        self._problem = ""
        # A second attempt at the same moment would find the folder taken, by ourselves.
        self._claiming = threading.Lock()

    def file_to_write(self, name: str) -> Path:
        """Say where to write a file. The wanted folder is tried each time: it may be free, or mended, by now."""
        with self._claiming:
            return (self._wanted if self._claim() else self._in_memory) / name

    def file_to_read(self, name: str) -> Path:
        """Say where the newest file is.

        If another service has the folder and this one has written nothing yet, it is the other's: a service that
        replaces another (SIGUSR2) goes on where that stands.
        """
        own = self.file_to_write(name)
        return own if own.exists() else self._wanted / name

    def _claim(self) -> bool:
        """Lock the wanted folder; the kernel gives it back when this process ends, however it ends."""
        if self._lock is not None:
            return True
        try:
            self._wanted.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._wanted / _LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._say(f"{error.strerror}: name a folder that can be written in STATE_DIR")
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            self._say("another service has it: name another folder in STATE_DIR if both are to stay")
            return False
        self._lock, self._problem = lock, ""
        return True

    def _say(self, problem: str) -> None:
        """Log a problem once."""
        if problem != self._problem:
            self._problem = problem
            log.warning(
                "drift is forgotten when the service ends, as state cannot be kept in %s: %s", self._wanted, problem
            )


WATCHING, NO_DETECTORS, NO_MODEL = "watching", "no detectors", "no model"


@dataclass(frozen=True)
class WatchedModel:
    """One model.

    Parameters
    ----------
    version
        Which one; None if no model is live.
    state
        ``watching``; ``no detectors`` if it was trained without; ``no model``.
    watch
        Its detectors, if it has any.
    """

    version: str | None = None
    state: str = NO_MODEL
    watch: DriftWatch | None = None


def watch_model(bundle: Bundle, rows_per_second: float, false_alarm_days: float, state_file: Path) -> WatchedModel:
    """Make the detectors of a model, and let them go on where they stood if the saved state is of the same model.

    Parameters
    ----------
    bundle
        A verified bundle.
    rows_per_second
        Most rows a second that the detectors will get.
    false_alarm_days
        At most one false event in so many days, on average.
    state_file
        Where the state was saved, if it was.
    """
    try:
        calibration = Calibration.read(bundle.folder / DRIFT_FILE, bundle.folder / REFERENCE_FILE)
    except InvalidBundle as error:
        log.warning("drift of model %s is not watched: %s", bundle.version, error)
        return WatchedModel(bundle.version, NO_DETECTORS)
    watch = DriftWatch(calibration, bundle.features.names, rows_per_second, false_alarm_days)
    if anew_because := restore_state(state_file, watch, bundle.version):
        log.info("drift of model %s is watched from the next row on: %s", bundle.version, anew_because)
    else:
        log.info("drift of model %s is watched on, after %d rows", bundle.version, watch.rows_seen)
    return WatchedModel(bundle.version, WATCHING, watch)


STATE_FILE = "drift-state.json"

# A crash forgets the rows of this while; writing more often would wear out the small disks of some machines.
_SAVE_SECONDS = 30.0


class DriftMonitor:
    """Watches the rows of the live model.

    Parameters
    ----------
    folder
        The metrics folder, where the report lies for the workers.
    state
        Where the detectors' state is kept.
    rows_per_second
        Most rows a second that reach the detectors.
    metrics
        Tell Prometheus.
    clock
        A clock that only goes forward, in seconds.
    """

    def __init__(
        self,
        folder: Path,
        state: StateFolder,
        rows_per_second: int,
        metrics: RecorderMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._state, self._metrics, self._clock = folder, state, metrics, clock
        self._sample = RowSample(rows_per_second)
        self._model = self._next_model = WatchedModel()
        self._save_due = clock() + _SAVE_SECONDS

    def follow(self, model: WatchedModel) -> None:
        """Watch another model from the next second on; may be called by another thread."""
        self._next_model = model

    def take(self, handed: PublishedRows) -> None:
        """Take rows; those of a model that is no longer watched, or not yet, say nothing of the one that is."""
        if self._model.watch is not None and handed.version == self._model.version:
            self._sample.add(handed.scored)

    def tick(self) -> None:
        """Once a second: let the detectors look at the sample, and tell what they say."""
        sample = self._sample.take()
        if self._model is not self._next_model:
            self._begin(self._next_model)
        elif sample is not None and self._model.watch is not None:
            self._tell_checks(self._model.watch.update(sample.rows, sample.scores, sample.labels))
        self._tell_standing()
        if self._clock() >= self._save_due:
            self._save()

    def finish(self) -> None:
        """Tell the last rows, and keep the state."""
        self.tick()
        self._save()

    def _begin(self, model: WatchedModel) -> None:
        """Watch another model."""
        self._model = model
        self._metrics.record_watched_features(model.watch.feature_names if model.watch else ())

    def _tell_checks(self, checks: Checks) -> None:
        """Count what the detectors found."""
        self._metrics.record_checks(checks.ratios)
        for finding in checks.findings:
            self._metrics.record_alarm(finding.detector, finding.feature, finding.kind is Kind.EVENT)
            if finding.kind is Kind.EVENT:
                log.warning("drift: %s", _describe(finding), extra={"detector": finding.detector})

    def _tell_standing(self) -> None:
        """Say where the detectors stand, in the metrics and in the report."""
        watch = self._model.watch
        if watch is not None:
            active = watch.active
            for name, detector in watch.detectors.items():
                self._metrics.record_detector(name, detector.threshold, detector.statistic, active[name])
            self._metrics.record_window(watch.fill, watch.feature_distances or {})
        try:
            write_report(
                self._folder, self._model.version, self._model.state, watch.describe() if watch else {}, time.time()
            )
        except OSError as error:
            log.error("the report for GET /drift cannot be written: %s; it will be tried again in a second", error)

    def _save(self) -> None:
        """Keep the state, if there is any."""
        self._save_due = self._clock() + _SAVE_SECONDS
        watch: DriftWatch | None = self._model.watch
        if watch is None or self._model.version is None:
            return
        file = self._state.file_to_write(STATE_FILE)
        try:
            save_state(file, watch, self._model.version)
        except OSError as error:
            log.error("the state of the drift detectors cannot be kept: %s; it will be tried again", error)


def _describe(finding: Finding) -> str:
    """Say an event in words."""
    feature = f" of {finding.feature}" if finding.feature else ""
    return f"detector {finding.detector}{feature} saw a lasting change at row {finding.row}"
