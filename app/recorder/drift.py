"""Drift monitoring in the recorder: a sample of the rows goes to the live model's detectors.

Their findings become metrics, log lines and the report for ``GET /drift``. Their state is saved for the next start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from app.drift.calibration import COUNTS, Calibration
from app.drift.detector import Kind
from app.drift.monitor import Checks, DriftMonitor, Finding
from app.drift.state_file import UnreadableState, quarantine, restore_state, save_state
from app.errors import InvalidBundle, count_of
from app.metrics.recorder import RecorderMetrics
from app.model.bundle import DRIFT_FILE, REFERENCE_FILE, Bundle
from app.recorder.drift_sample import RowSample
from app.recorder.protocol import PublishedRows
from app.recorder.status import write_report

log = logging.getLogger(__name__)

STATE_FILE, _LOCK_FILE = "drift-state.json", "owner.lock"

# A crash loses the rows since the last save; saving more often would wear out the small disks of some machines.
_SAVE_SECONDS = 30.0

WATCHING, NO_DETECTORS, NO_MODEL = "watching", "no detectors", "no model"


class StateFolder:
    """The folder for saved state: the configured one, or one in memory while that cannot be had.

    Parameters
    ----------
    wanted
        The configured folder, where state outlives the service.
    in_memory
        Where state outlives only the recorder. Used while the wanted folder cannot be written or belongs to another
        service.
    """

    def __init__(self, wanted: Path, in_memory: Path) -> None:
        self._wanted, self._in_memory = wanted, in_memory
        # The kernel releases the lock when this process ends, however it ends.
        self._lock = FileLock(
            wanted / _LOCK_FILE, mode=0o600, blocking=False, thread_local=False, fallback_to_soft=False
        )
        self._problem = ""
        # Two threads that claim the folder must not lock it twice.
        self._claiming = threading.Lock()

    def file_to_write(self, name: str) -> Path:
        """Return where to write a file. The wanted folder is tried each time: it may be free, or fixed, by now."""
        with self._claiming:
            return (self._wanted if self._claim() else self._in_memory) / name

    def file_to_read(self, name: str) -> Path:
        """Return where the newest file is.

        If another service owns the folder and this one has written nothing yet, that is the other's file: a service
        that replaces another (SIGUSR2) continues from its state.
        """
        own = self.file_to_write(name)
        return own if own.exists() else self._wanted / name

    def _claim(self) -> bool:
        """Lock the wanted folder, and keep it; return whether this process owns it."""
        if self._lock.is_locked:
            return True
        try:
            self._wanted.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            self._log_once("another service uses it; name another folder in STATE_DIR to run both")
            return False
        except OSError as error:
            self._log_once(f"{error.strerror}: name a writable folder in STATE_DIR")
            return False
        self._problem = ""
        return True

    def _log_once(self, problem: str) -> None:
        """Log a problem unless it is the last one that was logged."""
        if problem != self._problem:
            self._problem = problem
            log.warning(
                "the state of drift detection is lost when the service ends, as it cannot be saved in %s: %s",
                *(self._wanted, problem),
            )


@dataclass(frozen=True)
class WatchedModel:
    """A model and its detectors.

    Parameters
    ----------
    version
        None if no model is live.
    state
        ``watching``, ``no detectors`` (the bundle has none), or ``no model``.
    monitor
        The detectors, if there are any.
    """

    version: str | None = None
    state: str = NO_MODEL
    monitor: DriftMonitor | None = None


def watch_model(bundle: Bundle, rows_per_second: float, false_alarm_days: float, state_file: Path) -> WatchedModel:
    """Make the detectors of a model; restore their state if it was saved for the same model.

    Parameters
    ----------
    bundle
        A verified bundle.
    rows_per_second
        The most rows a second that the detectors will get.
    false_alarm_days
        The mean time between false events, at least.
    state_file
        Where the state may have been saved.
    """
    try:
        calibration = Calibration.read(bundle.folder / DRIFT_FILE, bundle.folder / REFERENCE_FILE)
        if calibration.reference_rows.shape[1] != len(bundle.features):
            raise InvalidBundle(f"{bundle.folder / REFERENCE_FILE} has rows of another model: train again.")
        features = bundle.features
        make_monitor = partial(
            DriftMonitor,
            *(calibration, features.names, rows_per_second, false_alarm_days),
            fill=features.fill_missing,
            encode=bundle.forest.to_features,
        )
        monitor = make_monitor()
        if not calibration.bins:
            log.info(
                "model %s was trained by an earlier release and lacks the drift detector %s, which finds small lasting "
                "changes: train again to have it",
                *(bundle.version, COUNTS),
            )
    except InvalidBundle as error:
        log.warning("drift of model %s is not monitored: %s", bundle.version, error)
        return WatchedModel(bundle.version, NO_DETECTORS)
    # Numbers of somebody else that pass every check may still not be computable; rows are recorded all the same.
    except Exception:
        log.exception("drift of model %s is not monitored, train again: its detectors cannot be used", bundle.version)
        return WatchedModel(bundle.version, NO_DETECTORS)
    try:
        reason = restore_state(state_file, monitor, bundle.version)
    except UnreadableState as error:
        monitor, reason = make_monitor(), "its saved state is unreadable"
        _set_aside(state_file, str(error))
    if reason:
        log.info("drift monitoring of model %s starts from zero: %s", bundle.version, reason)
    else:
        log.info("drift monitoring of model %s continues after %s", bundle.version, count_of(monitor.rows_seen, "row"))
    return WatchedModel(bundle.version, WATCHING, monitor)


def _set_aside(state_file: Path, problem: str) -> None:
    """Quarantine a state file that cannot be used, and report it; a folder cannot always be written."""
    try:
        log.error("%s: it is kept as %s, and drift monitoring starts from zero", problem, quarantine(state_file))
    except OSError as error:
        log.error("%s, and it cannot be renamed (%s): remove it", problem, error.strerror)


class DriftRecorder:
    """Samples the rows of the live model for its drift detectors, and reports their findings.

    Parameters
    ----------
    folder
        The metrics folder, where workers find the report.
    state
        Where the detectors' state is saved.
    rows_per_second
        The most rows a second that reach the detectors.
    metrics
        Reports to Prometheus.
    clock
        A monotonic clock, in seconds.
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
        """Monitor another model from the next tick on; may be called by another thread."""
        self._next_model = model

    def take(self, published: PublishedRows) -> None:
        """Add rows to the sample, unless another model scored them."""
        if self._model.monitor is not None and published.version == self._model.version:
            self._sample.add(published.scored)

    def tick(self) -> None:
        """Once a second, update the detectors with the sample and report their findings."""
        sample = self._sample.take()
        if self._model is not self._next_model:
            self._start(self._next_model)
        elif sample is not None and self._model.monitor is not None:
            self._report_checks(self._model.monitor.update(sample.rows, sample.scores, sample.labels))
        self._report_state()
        if self._clock() >= self._save_due:
            self._save()

    def finish(self) -> None:
        """Process the last rows, and save the state."""
        self.tick()
        self._save()

    def _start(self, model: WatchedModel) -> None:
        """Start to monitor another model."""
        self._model = model
        names, run_times = (model.monitor.feature_names, model.monitor.run_times) if model.monitor else ((), {})
        self._metrics.record_watched_model(model.version, names, run_times)

    def _report_checks(self, checks: Checks) -> None:
        """Count the findings, and log drift events."""
        self._metrics.record_checks(checks.ratios)
        for finding in checks.findings:
            self._metrics.record_alarm(finding.detector, finding.feature, finding.kind is Kind.EVENT)
            if finding.kind is Kind.EVENT:
                log.warning("drift: %s", _describe(finding), extra={"detector": finding.detector})

    def _report_state(self) -> None:
        """Report the state of the detectors, in the metrics and in the report for ``GET /drift``."""
        monitor = self._model.monitor
        if monitor is not None:
            active = monitor.active
            for name, detector in monitor.detectors.items():
                self._metrics.record_detector(name, detector.threshold, detector.statistic, active[name])
            self._metrics.record_window(monitor.fill, monitor.feature_distances or {}, monitor.dependence)
        described = monitor.describe() if monitor else {}
        try:
            write_report(self._folder, self._model.version, self._model.state, described, time.time())
        except OSError as error:
            log.error("the report for GET /drift cannot be written: %s; retrying in a second", error)

    def _save(self) -> None:
        """Save the state, if there is any."""
        self._save_due = self._clock() + _SAVE_SECONDS
        monitor = self._model.monitor
        if monitor is None or self._model.version is None:
            return
        file = self._state.file_to_write(STATE_FILE)
        try:
            save_state(file, monitor, self._model.version)
        except OSError as error:
            log.error("the state of the drift detectors cannot be saved: %s; retrying in %d s", error, _SAVE_SECONDS)


def _describe(finding: Finding) -> str:
    """Describe a drift event in words."""
    feature = f" of {finding.feature}" if finding.feature else ""
    return f"detector {finding.detector}{feature} found a lasting change at row {finding.row}"
