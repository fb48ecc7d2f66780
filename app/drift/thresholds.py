"""Where the alarm line of a detector is, row by row, and where windows stand that nothing has changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Chances with which an undrifted window lies beyond a stored quantile. The largest would confirm a false alarm every
# fourth time; a smaller one than the smallest cannot be estimated from the simulated windows.
CONFIRMING_SHARES: NDArray[np.float64] = np.geomspace(0.25, 0.001, 80)


@dataclass(frozen=True)
class Thresholds:
    """What calibration found for one detector.

    Parameters
    ----------
    starts
        Rows after the first full window at which each line begins to hold, ascending from 0.
    lines
        An alarm is a statistic above the line that holds; shape as ``starts``.
    confirming
        The statistic that undrifted windows exceed with the chance in ``CONFIRMING_SHARES`` at most; same shape.
    run_time
        Rows from the first full window to the first alarm while nothing changes, on average; infinite if no window
        can alarm.
    """

    starts: NDArray[np.int64]
    lines: NDArray[np.float64]
    confirming: NDArray[np.float64]
    run_time: float

    def by_row(self) -> list[float]:
        """Give the line of each row, from the first full window on; the last one holds for good.

        Examples
        --------
        >>> lines = np.array([0.5, 0.4, 0.3])
        >>> Thresholds(np.array([0, 1, 3]), lines, np.zeros(80), run_time=300.0).by_row()
        [0.5, 0.4, 0.4, 0.3]
        """
        lengths = np.append(np.diff(self.starts), 1)
        return [float(line) for line in np.repeat(self.lines, lengths)]

    def confirming_line(self, share: float) -> float:
        """Give the statistic that an undrifted window exceeds with at most this chance.

        Raises
        ------
        ValueError
            If the chance is below 0.001, for which nothing was stored.
        """
        # A last digit that arithmetic lost is no reason to take the next, much smaller share.
        [small_enough] = np.nonzero(share * (1 + 1e-9) >= CONFIRMING_SHARES)
        if not len(small_enough):
            raise ValueError(f"no line is exceeded with a chance as low as {share:g}; ask for 0.001 or more.")
        return float(self.confirming[small_enough[0]])
