"""How an alarm becomes an event while nothing changes, factor by factor."""

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
    """Windows without a common row, in a stream in which nothing changes.

    Parameters
    ----------
    n_windows
        How many were looked at.
    beyond
        The share beyond the confirming line.
    beyond_after_one
        The same among windows that follow such a one; equal if windows are independent, NaN if there was none.
    """

    n_windows: int
    beyond: float
    beyond_after_one: float


def measure_windows(
    calibration: Calibration, confirmation: Confirmation, source: Source, n_windows: int
) -> dict[str, WindowShares]:
    """Compare disjoint windows with the confirming lines; by detector."""
    statistics = SlidingStatistics(calibration)
    found = []
    for number in range(n_windows):
        first = number * calibration.window
        rows = source(calibration.window, first)
        *_, last = statistics.push(rows.rows, rows.scores, rows.labels < 0, first)
        found.append(last.by_detector)
    shares = {}
    for name, thresholds in calibration.thresholds.items():
        line = thresholds.confirming_threshold(confirmation.share)
        beyond = np.array([each[name] > line for each in found])
        after_one = beyond[1:][beyond[:-1]]
        shares[name] = WindowShares(
            n_windows, float(beyond.mean()), float(after_one.mean()) if len(after_one) else float("nan")
        )
    return shares


def count_events(watch: DriftMonitor, source: Source, n_rows: int, rows_at_once: int = 1000) -> tuple[int, int]:
    """Watch a stream in which nothing changes, and count alarms and events of all detectors."""
    for first in range(0, n_rows, rows_at_once):
        rows = source(rows_at_once, first)
        watch.update(rows.rows, rows.scores, rows.labels)
    counts = [detector.progress for detector in watch.detectors.values()]
    return sum(each.alarms for each in counts), sum(each.events for each in counts)
