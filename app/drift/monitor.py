"""All drift detectors of one model: they take rows, and find drift signals and drift events."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.drift.calibration import COUNTS, CVM, DETECTORS, Calibration
from app.drift.counts import CountsDetector, Evidence, find_threshold
from app.drift.dependence import find_first_factor
from app.drift.detector import (
    MAX_COUNT,
    PLANNED_FALSE_EVENTS,
    SECONDS_PER_DAY,
    Detector,
    Kind,
    Phase,
    Progress,
    plan_confirmation,
)
from app.drift.mmd import Encode
from app.drift.windows import SlidingStatistics, Statistics

# Rows are compared as float32.
_LARGEST_SINGLE = float(np.finfo(np.float32).max)

# The start of the year 9999, in seconds since 1970: later times cannot be shown as a date in every time zone.
_LAST_SECOND = 253_370_764_800


@dataclass(frozen=True)
class Finding:
    """A drift signal or drift event.

    Parameters
    ----------
    detector
        The name of the detector.
    kind
        A signal (stored as ``alarm``), or an event, which is a confirmed signal.
    feature
        What has moved most, for ``cvm`` and ``counts``; empty for others, and if that is the score.
    row
        The number of the row at which it was found, counted from 1 since monitoring of the model started.
    seconds
        The time, in seconds since 1970.
    """

    detector: str
    kind: Kind
    feature: str
    row: int
    seconds: float

    @classmethod
    def of(cls, values: dict[str, Any]) -> Finding:
        """Create it from a result of ``dataclasses.asdict``.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it is none.
        """
        finding = cls(**values | {"kind": Kind(values["kind"])})
        are_texts = isinstance(finding.detector, str) and isinstance(finding.feature, str)
        if not are_texts or type(finding.row) is not int or not 0 <= finding.seconds <= _LAST_SECOND:
            raise ValueError(f"{values} is not a drift event.")
        return finding


@dataclass(frozen=True)
class Checks:
    """The results for some rows.

    Parameters
    ----------
    ratios
        By detector: statistic over threshold after each full window, or each block of ``counts``; above 1 is a signal.
    findings
        Signals and events, in order.
    """

    ratios: dict[str, list[float]]
    findings: list[Finding]


class DriftMonitor:
    """The detectors of one model, fed with scored rows.

    Parameters
    ----------
    calibration
        The result of calibration in training.
    feature_names
        In the order of a row's numbers.
    rows_per_second
        The most rows a second that :meth:`update` will get.
    false_alarm_days
        Mean time between false events of all detectors together, at least.
    clock
        Returns the time, in seconds since 1970.
    fill, encode
        Replaces missing values; makes the forest's features of columns, None if they are the columns.
    """

    def __init__(
        self,
        calibration: Calibration,
        feature_names: Sequence[str],
        rows_per_second: float,
        false_alarm_days: float,
        clock: Callable[[], float] = time.time,
        fill: Callable[[NDArray[Any]], NDArray[Any]] = lambda rows: rows,
        encode: Encode | None = None,
    ) -> None:
        self.confirmation = plan_confirmation(
            calibration.expected_run_time, rows_per_second, false_alarm_days, len(DETECTORS)
        )
        self.window, self.expected_run_time = calibration.window, calibration.expected_run_time
        self.feature_names = tuple(feature_names)
        self._of_windows = {
            name: Detector(calibration.thresholds[name], self.confirmation, calibration.window) for name in DETECTORS
        }
        self.run_times = {name: calibration.thresholds[name].run_time for name in DETECTORS}
        self._counts: CountsDetector | None = None
        if calibration.bins:
            bins = calibration.bins
            threshold = find_threshold(rows_per_second, PLANNED_FALSE_EVENTS, false_alarm_days, len(bins))
            self._counts = CountsDetector(bins, threshold, find_first_factor(self.window))
            self.run_times[COUNTS] = rows_per_second * false_alarm_days * SECONDS_PER_DAY / PLANNED_FALSE_EVENTS
            self._widen()
        self.rows_seen = 0
        self.last_events: dict[str, Finding | None] = dict.fromkeys(self.detectors)
        # None until the window has been full.
        self.feature_distances: dict[str, float] | None = None
        self._statistics, self._clock, self._fill = SlidingStatistics(calibration, encode), clock, fill
        # After a restart, the windows are filled from these.
        self._last_rows: deque[NDArray[np.float64]] = deque(maxlen=calibration.window)

    @property
    def detectors(self) -> dict[str, Detector | CountsDetector]:
        """All detectors by name; bundles of earlier releases have no ``counts``."""
        return self._of_windows | ({COUNTS: self._counts} if self._counts else {})

    @property
    def dependence(self) -> float:
        """By how much thresholds are multiplied, because rows resemble, or may resemble, their neighbours; 1 to 10."""
        return self._counts.widening if self._counts else 1.0

    @property
    def fill(self) -> float:
        """The filled share of the window, in [0, 1]."""
        return len(self._last_rows) / self.window

    def update(self, rows: ArrayLike, scores: ArrayLike, labels: ArrayLike) -> Checks:
        """Process scored rows in the order of their arrival.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``, within float32.
        scores
            Anomaly scores, shape ``(n_rows,)``: the lower, the more abnormal.
        labels
            Shape ``(n_rows,)``: 1 inlier, -1 outlier.
        """
        table = np.column_stack([self._fill(np.asarray(rows)), scores, labels]).astype(np.float64, copy=False)
        checks = Checks({name: [] for name in self.detectors}, [])
        while len(table):
            # A block changes the thresholds for the rows after it.
            part, table = np.split(table, [self._counts.missing if self._counts else len(table)])
            self._check_windows(part, checks)
            evidence = self._counts.push(part[:, :-2], part[:, -2]) if self._counts else None
            if self._counts and evidence:
                self._check_counts(self._counts, evidence, checks)
        return checks

    def _check_windows(self, table: NDArray[np.float64], checks: Checks) -> None:
        """Slide the windows over rows, with score and label as their last columns, and add what they find."""
        distances = None
        pushed = self._push(table, self.rows_seen)
        for row, statistics in zip(table, pushed, strict=True):
            self._last_rows.append(row)
            self.rows_seen += 1
            if len(self._last_rows) < self.window:
                continue
            distances = statistics.distances[:-1]
            for name, detector in self._of_windows.items():
                statistic = statistics.by_detector[name]
                checks.ratios[name].append(statistic / detector.threshold)
                if kind := detector.check(statistic):
                    feature = self.feature_names[int(distances.argmax())] if name == CVM else ""
                    checks.findings.append(self._make_finding(name, kind, feature))
        if distances is not None:
            self.feature_distances = dict(zip(self.feature_names, distances.tolist(), strict=True))

    def _check_counts(self, detector: CountsDetector, evidence: Evidence, checks: Checks) -> None:
        """Check the evidence of the last blocks, and add what was found."""
        checks.ratios[COUNTS].append(evidence.statistic / detector.threshold)
        feature = (*self.feature_names, "")[evidence.column]  # the last column is the score
        checks.findings.extend(self._make_finding(COUNTS, kind, feature) for kind in detector.check(evidence))
        self._widen()

    def _widen(self) -> None:
        """Multiply the thresholds of the windows by the dependence of the rows."""
        for each in self._of_windows.values():
            each.widening = self.dependence

    def describe(self) -> dict[str, Any]:
        """Return the state of the detectors as strict JSON values, for people and scripts."""
        farthest_first = sorted((self.feature_distances or {}).items(), key=lambda item: -item[1])
        return {
            "rows_seen": self.rows_seen,
            "window": self.window,
            "window_fill": self.fill,
            "expected_run_time": self.expected_run_time,
            "confirming_windows": self.confirmation.n_windows,
            "dependence": self.dependence,
            "detectors": {
                name: {
                    "state": str(detector.progress.phase),
                    "statistic": detector.statistic,
                    "threshold": detector.threshold,
                    "expected_run_time": self.run_times[name] if np.isfinite(self.run_times[name]) else None,
                    "alarms": detector.progress.alarms,
                    "events": detector.progress.events,
                    "last_event": asdict(event) if (event := self.last_events[name]) else None,
                }
                | ({"features": dict(farthest_first)} if name == CVM else {})
                for name, detector in self.detectors.items()
            },
        }

    def state(self) -> dict[str, Any]:
        """Return what a restart needs, as strict JSON values."""
        return {
            "rows_seen": self.rows_seen,
            "last_rows": [row.tolist() for row in self._last_rows],
            "progress": {name: asdict(detector.progress) for name, detector in self._of_windows.items()},
            "counts": self._counts.state() if self._counts else None,
            "last_events": {name: asdict(event) for name, event in self.last_events.items() if event},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore the state of another monitor of the same model.

        Parameters
        ----------
        state
            A result of :meth:`state`.

        Raises
        ------
        ValueError, KeyError, TypeError
            If it does not fit the model; this monitor must then not be used.
        """
        table = np.array(state["last_rows"], np.float64).reshape(-1, len(self.feature_names) + 2)
        progress = {name: Progress.of(state["progress"][name]) for name in self._of_windows}
        events = {name: Finding.of(event) for name, event in state["last_events"].items() if name in self.detectors}
        rows_seen = state["rows_seen"]
        if type(rows_seen) is not int or not 0 <= rows_seen <= MAX_COUNT:
            raise ValueError(f"{rows_seen!r} is not a number of seen rows.")
        n_rows = len(table)
        if not n_rows == min(rows_seen, self.window) or not (np.abs(table) <= _LARGEST_SINGLE).all():
            raise ValueError(f"{n_rows} rows of a window of {self.window} do not belong to {rows_seen} seen rows.")
        # Earlier releases have saved none.
        if self._counts and state.get("counts"):
            self._counts.restore(state["counts"])
        self._last_rows.extend(table)
        self.rows_seen, self.last_events = rows_seen, dict.fromkeys(self.detectors) | events
        self._widen()
        # Fill the windows; the detectors have checked these rows already.
        *_, last = [None, *self._push(table, rows_seen - n_rows)]
        for name, detector in self._of_windows.items():
            detector.progress = progress[name]
            if last is not None and n_rows == self.window:
                detector.statistic = last.by_detector[name]
                self.feature_distances = dict(zip(self.feature_names, last.distances[:-1].tolist(), strict=True))

    def _push(self, table: NDArray[np.float64], first: int) -> Iterator[Statistics]:
        """Push rows, with score and label as their last columns, into the windows."""
        return self._statistics.push(table[:, :-2], table[:, -2], table[:, -1] < 0, first)

    def _make_finding(self, name: str, kind: Kind, feature: str) -> Finding:
        """Return a finding, and store it if it is an event."""
        finding = Finding(name, kind, feature, self.rows_seen, self._clock())
        if kind is Kind.EVENT:
            self.last_events[name] = finding
        return finding

    @property
    def active(self) -> dict[str, bool]:
        """Whether each detector has found a drift that has not ended."""
        return {name: detector.progress.phase is Phase.DRIFTING for name, detector in self.detectors.items()}
