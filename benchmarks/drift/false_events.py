"""Measure how often drift signals and drift events occur while nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.drift.calibration import Calibration
from app.drift.detector import Confirmation
from app.drift.monitor import DriftMonitor
from app.drift.windows import SlidingStatistics
from benchmarks.drift.run_lengths import Source


@dataclass(frozen=True)
class WindowShares:
    """How often disjoint windows exceed the confirming threshold in a stream without drift.

    Parameters
    ----------
    n_windows
        Number of windows.
    beyond
        Share of windows above the confirming threshold.
    beyond_after_one
        The same share among windows that follow such a window: equal if windows are independent, NaN if there is none.
    """

    n_windows: int
    beyond: float
    beyond_after_one: float


def measure_windows(
    calibration: Calibration, confirmation: Confirmation, source: Source, n_windows: int
) -> dict[str, WindowShares]:
    """Compare disjoint windows with the confirming thresholds, by detector."""
    statistics = SlidingStatistics(calibration)
    found = []
    for number in range(n_windows):
        first = number * calibration.window
        rows = source(calibration.window, first)
        *_, last = statistics.push(rows.rows, rows.scores, rows.labels < 0, first)
        found.append(last.by_detector)
    shares = {}
    for name, thresholds in calibration.thresholds.items():
        threshold = thresholds.confirming_threshold(confirmation.share)
        beyond = np.array([each[name] > threshold for each in found])
        after_one = beyond[1:][beyond[:-1]]
        shares[name] = WindowShares(
            n_windows, float(beyond.mean()), float(after_one.mean()) if len(after_one) else float("nan")
        )
    return shares


def count_events(watch: DriftMonitor, source: Source, n_rows: int, rows_at_once: int = 1000) -> tuple[int, int]:
    """Count the drift signals and drift events of all detectors in a stream without drift."""
    for first in range(0, n_rows, rows_at_once):
        rows = source(rows_at_once, first)
        watch.update(rows.rows, rows.scores, rows.labels)
    counts = [detector.progress for detector in watch.detectors.values()]
    return sum(each.alarms for each in counts), sum(each.events for each in counts)
