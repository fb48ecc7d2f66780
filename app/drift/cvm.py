"""Cramer-von Mises distance between a window and the reference, for each column by itself.

Both are described by their mid-distribution function, P(X < x) + P(X = x) / 2: with the usual right-continuous one, a
value that many rows share could move to just below itself and nothing would show. The distance is the mean square
difference of the two functions over the reference rows. Written out, it is a sum over pairs of rows, so it slides with
the window; all its terms are whole numbers, so equal windows have equal distances to the last bit.

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
    """The reference rows, column by column in order.

    The overlap of two values is the mean over the reference rows of the product of their mid-distribution functions,
    each value taken as a distribution of its own. It is counted in quarters of a reference row.

    Parameters
    ----------
    rows
        Shape ``(n_reference, n_columns)``.

    Attributes
    ----------
    table
        For each place, shape ``(3, n_places)``: the overlap with any lower value; how much less the overlap with an
        equal value is; the sum of the overlaps with all reference values.
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
        # Between a value and the next float nothing lies, so one search tells below, equal and above.
        self._edges = [np.column_stack([values, np.nextafter(values, np.inf)]).ravel() for values, _ in columns]
        # The tables of all columns stand side by side, so that one look-up serves them.
        self._starts = np.cumsum([0, *(len(edges) + 1 for edges in self._edges[:-1])])
        self.table = np.hstack([_tabulate(counts) for _, counts in columns])
        self.own_overlaps: Whole = self.table[2].take(self.place(rows)).sum(axis=0)

    def place(self, rows: NDArray[np.float64]) -> Whole:
        """Find the place of each number, shape ``(n_rows, n_columns)``.

        The places of a column are consecutive and rise with the number: one below all reference values, one for each
        different value, and one above each.
        """
        places = np.empty(rows.shape, np.int64)
        for column, edges in enumerate(self._edges):
            places[:, column] = edges.searchsorted(rows[:, column], side="right")
        places += self._starts
        return places


class RankWindow:
    """The last rows, and how far each column of them is from the reference.

    Parameters
    ----------
    reference
        What to compare with.
    size
        Rows in the window, 2 to 1,000: beyond, the whole numbers would grow too large.

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
        # Of each place: what a pair adds to the sum, how much less with an equal row, and what a row adds by itself.
        self._table = n_rows * np.array([2 * n_rows * above, 2 * n_rows * ties, 0 * above])
        self._table[2] = n_rows * (n_rows * (above - ties) - 2 * size * with_reference)
        self._constant, self._factor = size**2 * reference.own_overlaps, 1 / (4 * n_rows**3 * size**2)
        # Columns one after the other, so that sums run along memory. A slot that no row has taken yet adds nothing.
        self._places, self._above, self._terms = (
            np.full(shape, -1),
            np.zeros(shape, np.int64),
            np.zeros(shape, np.int64),
        )
        self._size, self._next = size, 0

    def push(self, place: Whole) -> NDArray[np.float64]:
        """Let a placed row, shape ``(n_columns,)``, take the slot of the oldest one.

        Returns
        -------
        The distance of each column, shape ``(n_columns,)``, in [0, 1]: the larger, the farther. It means something
        once the window is full.
        """
        slot, (above, ties, own) = self._next, self._table.take(place, axis=1)
        # A row keeps what its pairs with later rows add, and takes it along when it leaves.
        self._terms += np.minimum(self._above, above[:, None])
        self._terms -= ties[:, None] * (self._places == place[:, None])
        self._places[:, slot], self._above[:, slot], self._terms[:, slot] = place, above, own
        self._next = (slot + 1) % self._size
        sums = self._terms.sum(axis=1)
        sums += self._constant
        distances: NDArray[np.float64] = sums * self._factor
        return distances


def _tabulate(counts: Whole) -> Whole:
    """Make one column's table from how many reference rows have each of its values, in their order."""
    ties = np.zeros(2 * len(counts) + 1, np.int64)
    ties[1::2] = counts
    below = np.cumsum(ties) - ties
    above = 4 * (counts.sum() - below - ties) + 2 * ties
    # A reference value above overlaps as far as itself reaches, one below as far as this value reaches.
    of_higher = above * ties
    of_higher = of_higher[::-1].cumsum()[::-1] - of_higher
    return np.array([above, ties, above * below + (above - ties) * ties + of_higher])
