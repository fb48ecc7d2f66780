"""Find thresholds on simulated streams, such that each row signals with the same probability if none before it did.

References
----------
O. Cobb, A. Van Looveren and J. Klaise, "Sequential multivariate change detection with calibrated and memoryless false
detection rates", AISTATS 2022.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import CONFIRMING_SHARES, Thresholds


def settling_rows(window: int) -> int:
    """Return how many rows after the first full window get thresholds block by block, before they are constant."""
    return 2 * window


def find_thresholds(statistics: NDArray[np.float64], window: int, run_time: int) -> Thresholds:
    """Find the thresholds of a detector, whose statistic is continuous.

    Parameters
    ----------
    statistics
        After each row from the first full window on, shape ``(n_streams, n_rows)`` with more rows than
        :func:`settling_rows`. These streams have no drift.
    window
        Rows in a window.
    run_time
        Wanted expected number of rows from the first full window to the first signal.

    Examples
    --------
    >>> statistics = np.random.default_rng(1).random((20_000, 60))
    >>> thresholds = find_thresholds(statistics, window=5, run_time=50)
    >>> thresholds.starts.tolist()
    [0, 1, 3, 7, 10]
    >>> round(float(thresholds.lines[-1]), 2)
    0.98
    """
    starts = _begin_blocks(settling_rows(window))
    at_risk, lines = np.arange(len(statistics)), []
    for start, end in zip(starts, [*starts[1:], statistics.shape[1]], strict=True):
        highest = statistics[at_risk, start:end]
        np.maximum.accumulate(highest, axis=1, out=highest)
        line = _find_threshold(highest, 1 / run_time)
        at_risk = at_risk[highest[:, -1] <= line]
        lines.append(line)
    confirming = _find_confirming_thresholds(statistics[:, ::window])
    return Thresholds(np.array(starts), np.array(lines), confirming, float(run_time))


def _begin_blocks(n_rows: int) -> list[int]:
    """Return the first row of each block, 0, 1, 3, 7, ..., and the row after the last block."""
    starts, length = [0], 1
    while starts[-1] + length < n_rows:
        starts.append(starts[-1] + length)
        length *= 2
    return [*starts, n_rows]


def _find_threshold(highest: NDArray[np.float64], rate: float) -> float:
    """Find the lowest threshold with at most ``rate`` signals per row at risk; ``highest`` are running maxima."""
    maxima = np.sort(highest[:, -1])
    # As many streams signal as there are maxima above the threshold; the more, the fewer rows are at risk.
    low, high = 0, len(maxima) - 1
    while low < high:
        n_signals = (low + high + 1) // 2
        if n_signals <= rate * _rows_at_risk(highest, maxima[-1 - n_signals]):
            low = n_signals
        else:
            high = n_signals - 1
    return float(maxima[-1 - low])


def _rows_at_risk(highest: NDArray[np.float64], threshold: float) -> int:
    """Count the rows up to and including the first signal of each stream."""
    return int((highest <= threshold).sum() + (highest[:, -1] > threshold).sum())


def _find_confirming_thresholds(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the thresholds that disjoint windows exceed with at most the stored probabilities."""
    thresholds: NDArray[np.float64] = np.quantile(windows, 1 - CONFIRMING_SHARES, method="higher")
    return thresholds
