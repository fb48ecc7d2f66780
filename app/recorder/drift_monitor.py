"""What the recorder does about drift: it feeds a sample to the detectors, and tells everybody what they say."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from app.drift.detector import Kind
from app.drift.drift_watch import Checks, DriftWatch, Finding
from app.drift.saved_state import save_state
from app.recorder.drift_report import write_report
from app.recorder.handed_rows import HandedRows
from app.recorder.row_sample import RowSample
from app.recorder.state_folder import StateFolder
from app.recorder.watched_model import WatchedModel
from app.recorder_metrics import RecorderMetrics

log = logging.getLogger(__name__)

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

    def take(self, handed: HandedRows) -> None:
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
