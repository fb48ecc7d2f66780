"""The thresholds of a detector, and how they are found on simulated streams without drift.

They are such that each row signals with the same probability if none before it did.

References
----------
O. Cobb, A. Van Looveren and J. Klaise, "Sequential multivariate change detection with calibrated and memoryless false
detection rates", AISTATS 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Probabilities that an undrifted window exceeds a stored quantile. The largest would confirm every fourth false signal;
# smaller ones than the smallest cannot be estimated from the simulated windows.
CONFIRMING_SHARES: NDArray[np.float64] = np.geomspace(0.25, 0.001, 80)

# Training uses 2; more leave room for another choice.
_MAX_SETTLING_WINDOWS = 100


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of one detector.

    Parameters
    ----------
    starts
        Rows after the first full window from which each threshold applies, ascending from 0.
    lines
        A signal is a statistic above the threshold that applies; same shape as ``starts``.
    confirming
        The statistic that undrifted windows exceed at most with the probability in ``CONFIRMING_SHARES``; same shape
        as that.
    run_time
        Mean number of rows from the first full window to the first signal without drift; infinite if no window can
        signal.
    """

    starts: NDArray[np.int64]
    lines: NDArray[np.float64]
    confirming: NDArray[np.float64]
    run_time: float

    def fits(self, window: int) -> bool:
        """Return whether the values can be thresholds for windows of this size.

        Training lets the threshold settle for ``2 * window`` rows; a far longer table would fill the memory.
        """
        return (
            self.starts.shape == self.lines.shape
            and len(self.starts) >= 1
            and self.starts[0] == 0
            and bool((np.diff(self.starts) > 0).all())
            and int(self.starts[-1]) <= _MAX_SETTLING_WINDOWS * window
            and bool((self.lines != 0).all() and np.isfinite(self.lines).all())
            and self.confirming.shape == CONFIRMING_SHARES.shape
            and bool(np.isfinite(self.confirming).all())
            and self.run_time > 0
        )

    def by_row(self) -> list[float]:
        """Return the threshold of each row from the first full window on; the last one applies to all further rows.

        Examples
        --------
        >>> lines = np.array([0.5, 0.4, 0.3])
        >>> Thresholds(np.array([0, 1, 3]), lines, np.zeros(80), run_time=300.0).by_row()
        [0.5, 0.4, 0.4, 0.3]
        """
        lengths = np.append(np.diff(self.starts), 1)
        return [float(line) for line in np.repeat(self.lines, lengths)]

    def confirming_threshold(self, share: float) -> float:
        """Return the statistic that an undrifted window exceeds at most with this probability.

        Raises
        ------
        ValueError
            If the probability is below 0.001, for which nothing is stored.
        """
        # A rounding error must not select the next, much smaller share.
        [small_enough] = np.nonzero(share * (1 + 1e-9) >= CONFIRMING_SHARES)
        if not len(small_enough):
            raise ValueError(f"no threshold is stored for the probability {share:g}; pass 0.001 or more.")
        return float(self.confirming[small_enough[0]])


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
    confirming = find_confirming_thresholds(statistics[:, ::window])
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


def find_confirming_thresholds(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the thresholds that disjoint windows exceed with at most the stored probabilities."""
    thresholds: NDArray[np.float64] = np.quantile(windows, 1 - CONFIRMING_SHARES, method="higher")
    return thresholds
