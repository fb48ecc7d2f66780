"""Estimates how much rows that arrive close to each other resemble each other, which hides how few of them there are.

A client that sends each row three times, or a session of ten similar rows, makes windows differ from training more than
as many independent rows would. Most statistics are squared distances, so they grow by the factor estimated here.

References
----------
L. Kish, "Survey sampling", 1965 (the design effect of clusters). J. N. K. Rao and A. J. Scott, "The analysis of
categorical data from complex sample surveys", Journal of the American Statistical Association 76, 1981.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Rows whose pairs are compared: longer than the sessions that are covered, short enough for many of them in a block.
SPAN = 100

# At most: clear changes exceed thresholds a hundredfold and must be found all the same.
MAX_FACTOR = 10.0

# The estimate is the median of so many blocks, five minutes of rows at the default rate.
_BLOCKS = 15

# An excess below this in one block is chance: independent rows had at most 0.21 as a standard deviation, in real and
# synthetic tables.
_NOISE = 0.6

# Of the pairs of adjacent spans in a block, these are left out that differ most: between them may lie a change.
_LEFT_OUT = 2


class Dependence:
    """How much the last rows depend on each other.

    Parameters
    ----------
    n_bins
        Number of bins of each column.

    Examples
    --------
    >>> places = np.random.default_rng(1).integers(0, 20, (2000, 1), dtype=np.uint8)
    >>> dependence = Dependence([20])
    >>> dependence.add(places)
    >>> dependence.factor
    1.0

    Each row four times:

    >>> for first in (0, 500, 1000):
    ...     dependence.add(np.repeat(places[first : first + 500], 4, axis=0))
    >>> round(dependence.factor)
    5
    """

    def __init__(self, n_bins: Sequence[int]) -> None:
        self._n_bins = tuple(n_bins)
        # Of each block and column: how much more often than by chance neighbours are equal, and how much larger the
        # variance of a span's counts is.
        self.measured: deque[NDArray[np.float64]] = deque(maxlen=_BLOCKS)

    def add(self, places: NDArray[np.uint8]) -> None:
        """Take the bins of the rows of a block, in the order of their arrival, shape ``(n_rows, n_columns)``."""
        columns = zip(places.T, self._n_bins, strict=True)
        self.measured.append(np.array([_measure(column, n_bins) for column, n_bins in columns]))

    @property
    def factor(self) -> float:
        """By how much statistics of dependent rows exceed those of as many independent rows, at least 1, at most 10.

        Where rows resemble their neighbours only partly, a combination of bins may resemble them fully. So the estimate
        is that of the direction in which neighbours are equal.
        """
        if not self.measured:
            return 1.0
        near, excess = np.median(np.array(self.measured), axis=0).T
        is_clear = excess > _NOISE / np.sqrt(len(self.measured))
        factors = 1 + excess[is_clear] / np.maximum(near[is_clear], excess[is_clear] / MAX_FACTOR)
        return min(float(factors.max(initial=1.0)), MAX_FACTOR)


def _measure(places: NDArray[np.uint8], n_bins: int) -> tuple[float, float]:
    """Return the excess of equal neighbours, and the excess variance of the counts of a span, of one column."""
    n_spans = len(places) // SPAN
    spans = np.arange(n_spans).repeat(SPAN)
    counts = np.bincount(spans * n_bins + places[: n_spans * SPAN], minlength=n_spans * n_bins).reshape(n_spans, n_bins)
    counts = counts.astype(np.float64)
    within = (counts * (counts - 1)).sum(axis=1) / (SPAN * (SPAN - 1))
    # Adjacent spans have the same distribution, even if rows change slowly.
    across = (counts[1:] * counts[:-1]).sum(axis=1) / SPAN**2
    difference = np.sort((within[1:] + within[:-1]) / 2 - across)[:-_LEFT_OUT].mean()
    by_chance = across.mean()
    if by_chance >= 1:
        return 0.0, 0.0
    near = (places[1:] == places[:-1]).mean()
    return float((near - by_chance) / (1 - by_chance)), float((SPAN - 1) * difference / (1 - by_chance))
