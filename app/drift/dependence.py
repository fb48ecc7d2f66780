"""Estimates how much rows that arrive close to each other resemble each other, which hides how few of them there are.

A client that sends each row three times, or a session of ten similar rows, makes windows differ from training more than
as many independent rows would. Most statistics are squared distances, so they grow by the factor estimated here.

References
----------
L. Kish, "Survey sampling", 1965 (the design effect of clusters). C. J. Geyer, "Practical Markov chain Monte Carlo",
Statistical Science 7, 1992 (the variance of a mean from the autocorrelations that are not noise).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Pairs of rows are compared that are up to so many rows apart.
_LAGS = 50

# Chance is what rows of adjacent stretches of so many rows have in common: far enough apart to be independent, close
# enough to have the same distribution even where that changes.
_STRETCH = 100

# The estimate is a mean of so many blocks, five minutes of rows at the default rate; older ones fade.
_BLOCKS = 15

# In standard errors; with fifty distances and many columns, chance must not look like dependence.
_CLEAR = 5.0

# At most: clear changes exceed thresholds a hundredfold, and must be found all the same.
MAX_FACTOR = 10.0

# Until a block has been measured, thresholds of windows of 100 rows are multiplied by 5. No detector then had a false
# event in the first 2,000 rows of sessions of ten, and clear changes were events 20 rows later. The longer windows are,
# the lower are thresholds: so this factor may grow with them, and must be smaller in short windows, whose statistics
# could not exceed it.
_WINDOW_PER_FACTOR = 20


def find_first_factor(window: int) -> float:
    """Return the factor for windows of so many rows while it is not known how much rows depend on each other.

    Examples
    --------
    >>> [find_first_factor(window) for window in (10, 100, 1000)]
    [1.0, 5.0, 10.0]
    """
    return min(max(window / _WINDOW_PER_FACTOR, 1.0), MAX_FACTOR)


class Dependence:
    """How much the last rows depend on each other.

    Parameters
    ----------
    n_bins
        Number of bins of each column.
    first_factor
        The factor until a block has been measured, at least 1.

    Attributes
    ----------
    measured
        How much more often than by chance two rows have the same bin, by column and distance, 1 if always; and, last,
        the standard error of that in one block. Shape ``(n_columns, 51)``.
    n_blocks
        Number of blocks so far.

    Examples
    --------
    >>> places = np.random.default_rng(1).integers(0, 20, (2000, 1), dtype=np.uint8)
    >>> dependence = Dependence([20], first_factor=5.0)
    >>> dependence.factor
    5.0
    >>> dependence.add(places)
    >>> dependence.factor
    1.0

    Each row three times:

    >>> dependence = Dependence([20])
    >>> dependence.add(np.repeat(places, 3, axis=0)[:2000])
    >>> round(dependence.factor)
    4
    """

    def __init__(self, n_bins: Sequence[int], first_factor: float = 1.0) -> None:
        self._n_bins, self._first_factor = tuple(n_bins), first_factor
        self.measured = np.zeros((len(self._n_bins), _LAGS + 1))
        self.n_blocks = 0

    def add(self, places: NDArray[np.uint8]) -> None:
        """Add the bins of the rows of a block, in the order of their arrival, shape ``(n_rows, n_columns)``."""
        self.n_blocks += 1
        self.measured += (self._measure(places) - self.measured) / min(self.n_blocks, _BLOCKS)

    @property
    def factor(self) -> float:
        """By how much statistics of dependent rows exceed those of as many independent rows, at least 1, at most 10.

        Where rows resemble their neighbours only partly, a combination of bins may resemble them fully. So the largest
        correlation counts as 1, and the others in proportion. That is never too little for repeated rows and sessions.
        """
        if not self.n_blocks:
            return self._first_factor
        errors = self.measured[:, -1:] / np.sqrt(min(self.n_blocks, _BLOCKS))
        correlations = np.where(self.measured[:, :-1] > _CLEAR * errors, self.measured[:, :-1], 0.0)
        largest = correlations.max(axis=1)
        factors = 1 + 2 * correlations.sum(axis=1)[largest > 0] / largest[largest > 0]
        return min(float(factors.max(initial=1.0)), MAX_FACTOR)

    def _measure(self, places: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Measure one block; a column with a single value has no correlations."""
        n_rows = len(places)
        by_chance, variances = np.array(
            [_find_chance(column, n_bins) for column, n_bins in zip(places.T, self._n_bins, strict=True)]
        ).T
        equal = np.array([(places[lag:] == places[:-lag]).mean(axis=0) for lag in range(1, _LAGS + 1)]).T
        measured = np.column_stack([equal - by_chance[:, None], np.sqrt(variances / n_rows)])
        return np.where(by_chance[:, None] < 1, measured / np.maximum(1 - by_chance, 1e-9)[:, None], 0.0)


def _find_chance(places: NDArray[np.uint8], n_bins: int) -> tuple[float, float]:
    """Return the probability that independent rows have the same bin, and its variance for one pair of a sample."""
    stretches = np.arange(len(places)) // _STRETCH
    n_stretches = int(stretches[-1]) + 1
    counts = np.bincount(stretches * n_bins + places, minlength=n_stretches * n_bins).reshape(n_stretches, n_bins)
    by_chance = (counts[1:] * counts[:-1]).sum(axis=1).mean() / _STRETCH**2
    shares = counts.sum(axis=0) / len(places)
    squares = (shares**2).sum()
    return float(by_chance), max(float(squares - 2 * (shares**3).sum() + squares**2), 0.0)
