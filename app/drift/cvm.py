"""Cramer-von Mises distance between a window and the reference, for each column separately.

Both are described by their mid-distribution functions, P(X < x) + P(X = x) / 2. With the usual right-continuous
function, a value that many rows share could move to just below itself without any effect. The distance is the mean
square difference of the two functions over the reference rows. It can be written as a sum over pairs of rows, so it can
be updated as the window slides. All its terms are integers, so equal windows have equal distances to the last bit.

References
----------
T. W. Anderson, "On the distribution of the two-sample Cramer-von Mises criterion", Annals of Mathematical Statistics
33, 1962. E. Parzen, "Quantile probability and statistical data modeling", Statistical Science 19, 2004.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]


class RankReference:
    """The reference rows, each column sorted.

    The overlap of two values is the mean over the reference rows of the product of their mid-distribution functions,
    each value taken as a distribution. It is counted in quarters of a reference row.

    Parameters
    ----------
    rows
        Shape ``(n_reference, n_columns)``.

    Attributes
    ----------
    table
        For each place, shape ``(3, n_places)``: the overlap with any lower value; by how much the overlap with an equal
        value is less; the sum of the overlaps with all reference values.
    own_overlaps
        The sum of the overlaps of all pairs of reference values, shape ``(n_columns,)``.

    Examples
    --------
    >>> reference = RankReference(np.array([[1.0], [2.0], [2.0], [5.0]]))
    >>> places = reference.place(np.array([[0.0], [2.0], [3.0]])).ravel()
    >>> places
    array([0, 3, 4])
    >>> reference.table[:2, places]
    array([[16,  8,  4],
           [ 0,  2,  0]])
    """

    def __init__(self, rows: NDArray[np.float64]) -> None:
        self.n_rows, self.n_columns = rows.shape
        columns = [np.unique(column, return_counts=True) for column in rows.T]
        # Nothing lies between a value and the next float, so one search distinguishes below, equal and above.
        self._edges = [np.column_stack([values, np.nextafter(values, np.inf)]).ravel() for values, _ in columns]
        # The tables of all columns are side by side, so that one look-up serves all.
        self._starts = np.cumsum([0, *(len(edges) + 1 for edges in self._edges[:-1])])
        self.table = np.hstack([_tabulate(counts) for _, counts in columns])
        self.own_overlaps: Whole = self.table[2].take(self.place(rows)).sum(axis=0)

    def place(self, rows: NDArray[np.float64]) -> Whole:
        """Find the place of each number, shape ``(n_rows, n_columns)``.

        The places of a column are consecutive and ascend: one below all reference values, then one for each distinct
        value and one above it.
        """
        places = np.empty(rows.shape, np.int64)
        for column, edges in enumerate(self._edges):
            places[:, column] = edges.searchsorted(rows[:, column], side="right")
        places += self._starts
        return places


class RankWindow:
    """The last rows, and the distance of each column from the reference.

    Parameters
    ----------
    reference
        The reference rows.
    size
        Rows in the window, 2 to 1,000: beyond that, the integers would overflow.

    Examples
    --------
    >>> rows = np.array([[1.0], [2.0], [2.0], [5.0]])
    >>> reference = RankReference(rows)
    >>> window = RankWindow(reference, size=4)
    >>> [window.push(place) for place in reference.place(rows)][-1]
    array([0.])
    >>> [window.push(place).round(3) for place in reference.place(rows + 10)][-1]
    array([0.32])
    """

    def __init__(self, reference: RankReference, size: int) -> None:
        above, ties, with_reference = reference.table
        n_rows, shape = reference.n_rows, (reference.n_columns, size)
        # For each place: what a pair adds to the sum, by how much an equal row reduces that, and what a single row
        # adds.
        self._table = n_rows * np.array([2 * n_rows * above, 2 * n_rows * ties, 0 * above])
        self._table[2] = n_rows * (n_rows * (above - ties) - 2 * size * with_reference)
        self._constant, self._factor = size**2 * reference.own_overlaps, 1 / (4 * n_rows**3 * size**2)
        # One column after the other, so that sums run along memory. An empty slot adds nothing.
        self._places, self._above, self._terms = (
            np.full(shape, -1),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )
        self._size, self._next = size, 0

    def push(self, place: Whole) -> NDArray[np.float64]:
        """Replace the oldest row by a placed row, shape ``(n_columns,)``.

        Returns
        -------
        The distance of each column, shape ``(n_columns,)``, in [0, 1]: larger is farther. Meaningful once the window is
        full.
        """
        slot, (above, ties, own) = self._next, self._table.take(place, axis=1)
        # Each row holds what its pairs with later rows add, so it leaves together with the row.
        self._terms += np.minimum(self._above, above[:, None])
        self._terms -= ties[:, None] * (self._places == place[:, None])
        self._places[:, slot], self._above[:, slot], self._terms[:, slot] = place, above, own
        self._next = (slot + 1) % self._size
        sums = self._terms.sum(axis=1)
        sums += self._constant
        distances: NDArray[np.float64] = sums * self._factor
        return distances


def _tabulate(counts: Whole) -> Whole:
    """Compute the table of a column from the number of reference rows with each of its sorted values."""
    ties = np.zeros(2 * len(counts) + 1, np.int64)
    ties[1::2] = counts
    below = np.cumsum(ties) - ties
    above = 4 * (counts.sum() - below - ties) + 2 * ties
    # The overlap of two values is that of the larger one with itself.
    of_higher = above * ties
    of_higher = of_higher[::-1].cumsum()[::-1] - of_higher
    return np.array([above, ties, above * below + (above - ties) * ties + of_higher])
