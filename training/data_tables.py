"""Tables that describe a data set; figures are of all rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from training.dataset import Dataset
from training.distinct_rows import DistinctRows, find_distinct_rows
from training.fences import find_fences

# Both tails as far as a thousandth, since that is where outliers are.
_PERCENTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)


def first_rows(data: Dataset, n: int = 5) -> pd.DataFrame:
    """Show the first rows, numbered from 1."""
    head = data.rows[:n]
    return pd.DataFrame(head, columns=list(data.names), index=pd.RangeIndex(1, len(head) + 1, name="row"))


def describe(data: Dataset) -> pd.DataFrame:
    """Describe each feature by its count, mean, standard deviation, extremes and percentiles.

    Returns
    -------
    One line a feature. The columns are those of ``DataFrame.describe``, with more percentiles, and how many
    different values there are.
    """
    table = pd.DataFrame(data.rows, columns=list(data.names))
    figures = table.describe(percentiles=list(_PERCENTILES)).T
    figures["count"] = figures["count"].astype(np.int64)
    figures.insert(1, "distinct", table.nunique())
    return figures.rename_axis("feature")


def list_fences(data: Dataset) -> pd.DataFrame:
    """List the fences of each feature's box plot, and how many rows lie outside.

    Returns
    -------
    One line a feature.
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
    """List the rows that occur most often, with how often.

    Parameters
    ----------
    data
        Any rows.
    distinct
        Their distinct rows.
    n
        How many at most.
    """
    frequent = distinct.find_most_frequent(n)
    first, counts = distinct.first[frequent], distinct.counts[frequent]
    table = pd.DataFrame(data.rows[first], columns=list(data.names), index=first + 1)
    # Before the features, which may be many, and may bear these names.
    table.insert(0, "share", counts / len(data), allow_duplicates=True)
    table.insert(0, "times", counts, allow_duplicates=True)
    return table.rename_axis("first at row")


def compare(training: Dataset, test: Dataset) -> pd.DataFrame:
    """Put what describes training and test data side by side.

    Parameters
    ----------
    training
        Training data.
    test
        Test data with the same features.

    Returns
    -------
    One line a feature; for each figure a column of either set, and how many test rows lie beyond the smallest and the
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
    """Count the test rows that equal a training row: what was learnt by heart looks better than it is."""
    distinct = find_distinct_rows(np.concatenate([training.rows, test.rows]))
    first_seen = distinct.first[distinct.numbers[len(training) :]]
    return int((first_seen < len(training)).sum())
