"""Summary tables of a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.data.dataset import Dataset
from training.data.summary import (
    compare,
    count_rows_in,
    describe,
    find_distinct_rows,
    first_rows,
    list_fences,
    most_repeated,
)


def data(*columns: list[float], names: tuple[str, ...] = ("mean", "sd")) -> Dataset:
    """Return a function that makes a data set from its columns."""
    return Dataset(names, np.column_stack(columns).astype(np.float64), Path("rows.csv"), "0" * 64, names)


def test_first_rows_are_numbered_from_one():
    """As people count."""
    table = first_rows(data([1, 2, 3], [4, 5, 6]), 2)

    assert table.to_dict("index") == {1: {"mean": 1, "sd": 4}, 2: {"mean": 2, "sd": 5}}


def test_description_equals_pandas_with_more_percentiles():
    """One line per feature, constant ones included."""
    table = describe(data(list(range(1001)), [7] * 1001))

    assert table.loc["mean", ["count", "distinct", "mean", "min", "0.1%", "50%", "99.9%", "max"]].tolist() == [
        1001, 1001, 500, 0, 1, 500, 999, 1000,
    ]  # fmt: skip
    assert table.loc["mean", "std"] == pytest.approx(289.1081)
    assert table.loc["sd", ["distinct", "mean", "std", "1%"]].tolist() == [1, 7, 0, 7]


def test_most_repeated_rows_come_first():
    """With their count and first occurrence; rows that occur once are left out."""
    repeated = data([1, 2, 2, 3, 3, 3], [0, 0, 0, 9, 9, 9])

    table = most_repeated(repeated, find_distinct_rows(repeated.rows))

    assert table.index.tolist() == [4, 2]
    assert table.to_numpy().tolist() == [[3, 0.5, 3, 9], [2, pytest.approx(1 / 3), 2, 0]]


def test_features_may_have_the_names_of_table_columns():
    """A feature called times does not collide with the column of counts."""
    repeated = data([1, 1], [5, 5], names=("times", "share"))

    table = most_repeated(repeated, find_distinct_rows(repeated.rows))

    assert table.columns.tolist() == ["times", "share", "times", "share"]
    assert table.to_numpy().tolist() == [[2, 1, 1, 5]]


def test_fences_are_listed_for_each_feature():
    """With the number of values outside."""
    table = list_fences(data([0, 1, 2, 3, 4, 9], [1] * 6))

    assert table.loc["mean"].tolist() == [-2.5, 7.5, 0, 1, pytest.approx(1 / 6)]
    assert table.loc["sd"].tolist() == [1, 1, 0, 0, 0]


def test_sets_are_compared_side_by_side():
    """Each figure for both sets, and the test rows outside the training range."""
    table = compare(data([0, 10], [0, 1]), data([-5, 5, 12, 13], [0, 0, 1, 1]))

    assert table.loc["mean", "min"].to_dict() == {"training": 0, "test": -5}
    assert table.loc["mean", "50%"].to_dict() == {"training": 5, "test": 8.5}
    assert table.loc["mean", "beyond training"].to_dict() == {"below": 1, "above": 2}
    assert table.loc["sd", "beyond training"].to_dict() == {"below": 0, "above": 0}


def test_test_rows_that_are_also_training_rows_are_counted():
    """Each as often as it occurs."""
    training, test = data([1, 2, 2], [1, 2, 2]), data([2, 2, 1, 3, 2], [2, 2, 9, 3, 2])

    assert count_rows_in(training, test) == 3
