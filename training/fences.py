"""The figures of a box plot: quartiles, fences, and how many values lie outside the fences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Tukey's choice: of normally distributed values, 0.7 % lie outside fences at this many box lengths.
_BOX_LENGTHS = 1.5


@dataclass(frozen=True)
class Fences:
    """Quartiles of values, the fences around them, and what lies outside.

    Parameters
    ----------
    lower_quartile, median, upper_quartile
        The box.
    low, high
        The fences, 1.5 box lengths below and above the box.
    low_whisker, high_whisker
        The lowest and the highest value that is not outside the fences.
    n_below, n_above
        How many values lie outside.

    References
    ----------
    J. W. Tukey, "Exploratory Data Analysis", Addison-Wesley, 1977, chapter 2.

    Examples
    --------
    >>> fences = find_fences(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 9.0]))
    >>> fences.lower_quartile, fences.upper_quartile, fences.low, fences.high
    (1.25, 3.75, -2.5, 7.5)
    >>> fences.high_whisker, fences.n_below, fences.n_above
    (4.0, 0, 1)
    """

    lower_quartile: float
    median: float
    upper_quartile: float
    low: float
    high: float
    low_whisker: float
    high_whisker: float
    n_below: int
    n_above: int

    @property
    def n_outside(self) -> int:
        """Values below the low or above the high fence."""
        return self.n_below + self.n_above


def find_fences(values: NDArray[np.float64]) -> Fences:
    """Find quartiles and fences of at least one finite value, shape ``(n_rows,)``."""
    lower, median, upper = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    reach = _BOX_LENGTHS * (upper - lower)
    low, high = lower - reach, upper + reach
    # Never empty: the fences enclose the box, and the values next to the median are in it or near it.
    inside = values[(values >= low) & (values <= high)]
    return Fences(
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        low=low,
        high=high,
        low_whisker=float(inside.min()),
        high_whisker=float(inside.max()),
        n_below=int((values < low).sum()),
        n_above=int((values > high).sum()),
    )
