"""Which rows of a table differ, and how often each occurs: repeated rows decide where a forest draws its boundary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class DistinctRows:
    """The different rows of a table, in the order in which they first occur.

    Parameters
    ----------
    first
        Where each occurs first, counted from 0, shape ``(n_distinct,)``.
    counts
        How often each occurs, at least 1, same shape.
    numbers
        Which distinct row each row of the table is, counted from 0, shape ``(n_rows,)``.

    Examples
    --------
    >>> distinct = find_distinct_rows(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]))
    >>> distinct.first, distinct.counts, distinct.numbers
    (array([0, 1]), array([2, 1]), array([0, 1, 0]))
    >>> len(distinct), distinct.n_repeats
    (2, 1)
    """

    first: NDArray[np.int64]
    counts: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.first)

    @property
    def n_repeats(self) -> int:
        """Rows that repeat an earlier one."""
        return len(self.numbers) - len(self)

    @property
    def n_repeated(self) -> int:
        """Distinct rows that occur more than once."""
        return int((self.counts > 1).sum())

    def find_most_frequent(self, n: int) -> NDArray[np.int64]:
        """Find which distinct rows occur most often, and more than once, the most frequent first; at most ``n``."""
        return np.argsort(-self.counts, kind="stable")[: min(n, self.n_repeated)]


def find_distinct_rows(rows: NDArray[np.float64]) -> DistinctRows:
    """Find the different rows of a table; takes about a second for a million rows of ten numbers.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``, finite. Rows are the same if all their numbers are equal, 0.0 and -0.0 too.
    """
    columns = list(range(rows.shape[1]))
    numbers = pd.DataFrame(rows, columns=columns).groupby(columns, sort=False).ngroup().to_numpy()
    # Distinct rows are numbered as they come, so a number larger than all before it is a new one.
    first = np.flatnonzero(np.diff(np.maximum.accumulate(numbers), prepend=-1))
    return DistinctRows(first, np.bincount(numbers), numbers)
