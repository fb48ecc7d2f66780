"""Distinct rows are found, counted and numbered."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from training.data.summary import find_distinct_rows

# Few distinct values, so that rows repeat.
TABLES = arrays(
    np.float64, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.sampled_from([0.0, -0.0, 1.5])
)


@given(TABLES)
def test_distinct_rows_equal_numpys(rows):
    """With the same counts; each row of the table maps to an equal distinct row."""
    distinct = find_distinct_rows(rows)

    expected, counts = np.unique(rows, axis=0, return_counts=True)
    order = np.lexsort(rows[distinct.first].T[::-1])
    assert np.array_equal(rows[distinct.first][order], expected)
    assert np.array_equal(distinct.counts[order], counts)
    assert np.array_equal(rows[distinct.first][distinct.numbers], rows)


@given(TABLES)
def test_first_occurrence_is_found(rows):
    """No equal row is above it, and the order is that of the table."""
    distinct = find_distinct_rows(rows)

    assert (np.diff(distinct.first) > 0).all()
    for first in distinct.first:
        assert not (rows[:first] == rows[first]).all(axis=1).any()


def test_repeats_are_counted():
    """Rows that repeat an earlier one, distinct rows that are repeated, and the most frequent rows."""
    distinct = find_distinct_rows(np.array([[1.0], [2.0], [2.0], [3.0], [3.0], [3.0]]))

    assert (len(distinct), distinct.n_repeats, distinct.n_repeated) == (3, 3, 2)
    assert distinct.find_most_frequent(10).tolist() == [2, 1]
    assert distinct.find_most_frequent(1).tolist() == [2]
