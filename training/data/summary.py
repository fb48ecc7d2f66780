"""Tables that describe a data set, computed from all rows.

Besides distributions and box plots, they count repeated rows, which decide where a forest draws its boundary.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training.data.dataset import Dataset


@dataclass(frozen=True)
class DistinctRows:
    """The distinct rows of a table, in the order in which they first occur.

    Parameters
    ----------
    first
        Position of the first occurrence of each, counted from 0, shape ``(n_distinct,)``.
    counts
        Number of occurrences of each, at least 1, same shape.
    numbers
        Number of the distinct row for each row of the table, counted from 0, shape ``(n_rows,)``.

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
        """Find at most ``n`` distinct rows that occur most often and more than once, the most frequent first."""
        return np.argsort(-self.counts, kind="stable")[: min(n, self.n_repeated)]


def find_distinct_rows(rows: NDArray[np.float64]) -> DistinctRows:
    """Find the distinct rows of a table; this takes about a second for a million rows of ten numbers.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``, finite. Rows are equal if all their numbers are; 0.0 equals -0.0.
    """
    columns = list(range(rows.shape[1]))
    numbers = pd.DataFrame(rows, columns=columns).groupby(columns, sort=False, dropna=False).ngroup().to_numpy()
    # Distinct rows are numbered in order of occurrence, so a number larger than all before it is new.
    first = np.flatnonzero(np.diff(np.maximum.accumulate(numbers), prepend=-1))
    return DistinctRows(first, np.bincount(numbers), numbers)


# Tukey's choice: 0.7 % of normally distributed values are outside fences at this distance, in box lengths.
_BOX_LENGTHS = 1.5


@dataclass(frozen=True)
class Fences:
    """Quartiles of values, the fences around them, and the number of values outside.

    Parameters
    ----------
    lower_quartile, median, upper_quartile
        The box.
    low, high
        The fences, 1.5 box lengths below and above the box.
    low_whisker, high_whisker
        The lowest and the highest value that is not outside the fences.
    n_below, n_above
        Number of values outside the fences.

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
    # Never empty: the fences enclose the box, and the values next to the median are in the box or near it.
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


# Down to a thousandth in both tails, since that is where outliers are.
_PERCENTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)


def first_rows(data: Dataset, n: int = 5) -> pd.DataFrame:
    """Tabulate the first rows, numbered from 1."""
    head = data.rows[:n]
    return pd.DataFrame(head, columns=list(data.names), index=pd.RangeIndex(1, len(head) + 1, name="row"))


def describe(data: Dataset) -> pd.DataFrame:
    """Describe each feature by its count, mean, standard deviation, extremes and percentiles.

    Returns
    -------
    One line per feature. The columns are those of ``DataFrame.describe``, with more percentiles and the number of
    distinct values.
    """
    table = pd.DataFrame(data.rows, columns=list(data.names))
    figures = table.describe(percentiles=list(_PERCENTILES)).T
    figures["count"] = figures["count"].astype(np.int64)
    figures.insert(1, "distinct", table.nunique())
    return figures.rename_axis("feature")


def list_fences(data: Dataset) -> pd.DataFrame:
    """Tabulate the fences of each feature's box plot, and how many rows are outside.

    Returns
    -------
    One line per feature.
    """
    fences = [find_fences(values) for values in data.rows.T]
    return pd.DataFrame(
        {
            "low fence": [box.low for box in fences],
            "high fence": [box.high for box in fences],
            "rows below": [box.n_below for box in fences],
            "rows above": [box.n_above for box in fences],
            "outside": [box.n_outside / len(data) for box in fences],
        },
        index=pd.Index(data.names, name="feature"),
    )


def most_repeated(data: Dataset, distinct: DistinctRows, n: int = 10) -> pd.DataFrame:
    """Tabulate the rows that occur most often, with their number of occurrences.

    Parameters
    ----------
    data
        Any rows.
    distinct
        Their distinct rows.
    n
        Maximum number of rows.
    """
    frequent = distinct.find_most_frequent(n)
    first, counts = distinct.first[frequent], distinct.counts[frequent]
    table = pd.DataFrame(data.rows[first], columns=list(data.names), index=first + 1)
    # Before the features, which may be many, and may have these names.
    table.insert(0, "share", counts / len(data), allow_duplicates=True)
    table.insert(0, "times", counts, allow_duplicates=True)
    return table.rename_axis("first at row")


def compare(training: Dataset, test: Dataset) -> pd.DataFrame:
    """Tabulate the figures of training and test data side by side.

    Parameters
    ----------
    training
        Training data.
    test
        Test data with the same features.

    Returns
    -------
    One line per feature; for each figure a column per set, and the number of test rows below the smallest and above the
    largest training value.
    """
    described = {"training": describe(training), "test": describe(test)}
    figures = {
        (figure, name): table[figure]
        for figure in ("mean", "std", "50%", "min", "max")
        for name, table in described.items()
    }
    low, high = training.rows.min(axis=0), training.rows.max(axis=0)
    table = pd.DataFrame(figures)
    table[("beyond training", "below")] = (test.rows < low).sum(axis=0)
    table[("beyond training", "above")] = (test.rows > high).sum(axis=0)
    return table


def count_rows_in(training: Dataset, test: Dataset) -> int:
    """Count the test rows that equal a training row: on these, a model looks better than it is."""
    distinct = find_distinct_rows(np.concatenate([training.rows, test.rows]))
    first_seen = distinct.first[distinct.numbers[len(training) :]]
    return int((first_seen < len(training)).sum())
