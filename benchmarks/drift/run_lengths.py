"""Measure run lengths, from the first full window to the first drift signal, with the code of the service."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import DETECTORS, Calibration
from app.drift.detector import Kind
from app.drift.monitor import DriftMonitor
from app.drift.windows import SlidingStatistics
from training.drift.calibrate import ScoredRows

# Rows that are drawn and scored at a time.
_ROWS_AT_ONCE = 500

# Longer runs, in expected run times, are cut off; a detector that cannot signal would otherwise run for ever.
_MAX_RUN = 40

# Draws the next rows of a stream, given their number and the position of the first one.
Source = Callable[[int, int], ScoredRows]


def measure_runs(
    calibration: Calibration,
    source: Source,
    detectors: Collection[str] = DETECTORS,
    skipped_rows: int = 0,
    start: int = 0,
) -> dict[str, int]:
    """Run one stream until each detector has signalled drift.

    Parameters
    ----------
    calibration
        Calibration of the detectors.
    source
        Source of the rows.
    detectors
        Names of the detectors to measure.
    skipped_rows
        Rows at the start that fill the window; the stream changes after them, and signals in them are ignored.

    start
        Number of the first row: streams that start at different ones are independent.

    Returns
    -------
    By detector: the number of rows from the first full window, or from the first row after the skipped ones, to the
    signal, both included. At most 40 times the expected run time.
    """
    statistics = SlidingStatistics(calibration)
    thresholds = {name: calibration.thresholds[name].by_row() for name in detectors}
    first_counted = max(skipped_rows, calibration.window - 1)
    longest = _MAX_RUN * calibration.expected_run_time
    runs: dict[str, int] = {}
    row = 0
    while len(runs) < len(thresholds) and row < first_counted + longest:
        rows = source(_ROWS_AT_ONCE, row)
        for after_row in statistics.push(rows.rows, rows.scores, rows.labels < 0, start + row):
            counted, watched = row - first_counted, row - calibration.window + 1
            row += 1
            if counted < 0:
                continue
            for name, by_row in thresholds.items():
                if name not in runs and after_row.by_detector[name] > by_row[min(watched, len(by_row) - 1)]:
                    runs[name] = counted + 1
    return {name: runs.get(name, longest) for name in thresholds}


def measure_event(watch: DriftMonitor, source: Source, skipped_rows: int, max_rows: int) -> int:
    """Count the rows from a change after ``skipped_rows`` to the first event of any detector, at most ``max_rows``."""
    for first in range(0, skipped_rows + max_rows, _ROWS_AT_ONCE):
        rows = source(_ROWS_AT_ONCE, first)
        for finding in watch.update(rows.rows, rows.scores, rows.labels).findings:
            if finding.kind is Kind.EVENT and finding.row > skipped_rows:
                return finding.row - skipped_rows
    return max_rows


def draw_from(rows: ScoredRows, generator: np.random.Generator) -> Source:
    """Return a stream of independent rows."""

    def draw(n_rows: int, first: int) -> ScoredRows:
        return rows.take(generator.integers(0, len(rows), n_rows))

    return draw


def repeat_from(rows: ScoredRows, generator: np.random.Generator, share: float) -> Source:
    """Return a stream in which a row repeats the previous one with probability ``share`` and is a new one otherwise."""
    last: NDArray[np.int64] = np.zeros(1, np.int64)

    def draw(n_rows: int, first: int) -> ScoredRows:
        nonlocal last
        fresh = generator.integers(0, len(rows), n_rows)
        is_new = generator.random(n_rows) >= share
        is_new[0] |= first == 0
        # Each row takes the number of the last new one.
        newest = np.maximum.accumulate(np.where(is_new, np.arange(n_rows), -1))
        chosen = np.where(newest >= 0, fresh[newest], last)
        last = chosen[-1:]
        return rows.take(chosen)

    return draw
