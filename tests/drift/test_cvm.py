"""The sliding Cramer-von Mises distance equals its definition, and equal windows have exactly equal distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.drift.cvm import RankReference, RankWindow
from tests.drift.conftest import make_rows


def distance_by_definition(window, reference):
    """Compute the mean square difference of the mid-distribution functions over the reference values."""

    def share_below(values, at):
        return ((values[:, None] < at).mean(axis=0) + (values[:, None] <= at).mean(axis=0)) / 2

    return ((share_below(window, reference) - share_below(reference, reference)) ** 2).mean()


@pytest.mark.parametrize("size", [2, 7, 100])
def test_distance_is_that_of_the_last_rows(size):
    """For columns with and without repeated values, after each of a few hundred rows."""
    rows = make_rows(300, seed=2)
    rows[:, 1] = np.round(rows[:, 1])
    stream = make_rows(350, seed=3)
    stream[::3, 1] = np.round(stream[::3, 1])
    reference = RankReference(rows)
    window = RankWindow(reference, size)

    distances = np.array([window.push(place) for place in reference.place(stream)])[size - 1 :]

    for column in (0, 1):
        expected = [
            distance_by_definition(stream[end - size : end, column], rows[:, column])
            for end in range(size, len(stream) + 1)
        ]
        assert np.allclose(distances[:, column], expected, rtol=0, atol=1e-14)


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    st.lists(st.sampled_from([-3.5, -3, -1, -0.5, 0, 0.5, 2, 3, 4]), min_size=2, max_size=12),
)
def test_distance_is_that_of_the_definition(reference_values, window_values):
    """For any pattern of equal values."""
    rows, stream = np.array(reference_values, float), np.array(window_values, float)
    reference = RankReference(rows[:, None])
    window = RankWindow(reference, len(stream))

    for place in reference.place(stream[:, None]):
        [distance] = window.push(place)

    assert distance == pytest.approx(distance_by_definition(stream, rows), abs=1e-14)


def test_equal_windows_have_equal_distances():
    """In any order of the rows, and whatever came before: a threshold can lie between two values."""
    rows = make_rows(500, seed=2)
    reference = RankReference(rows)
    window = RankWindow(reference, 40)
    last = rows[:40]
    distances = set()
    for seed in range(5):
        generator = np.random.default_rng(seed)
        for place in reference.place(np.vstack([make_rows(77, seed), generator.permutation(last)])):
            distance = window.push(place)
        distances.add(tuple(distance))

    assert len(distances) == 1


def test_repeated_value_that_moves_to_just_below_itself_is_detected():
    """Half of the rows have it; a right-continuous distribution function would not change."""
    rows = np.concatenate([np.zeros(1000), np.linspace(1, 2, 1000)])[:, None]
    reference = RankReference(rows)

    def distance_of(stream):
        window = RankWindow(reference, len(stream))
        return [window.push(place) for place in reference.place(stream)][-1][0]

    same = rows[::20]
    moved = np.where(same == 0, np.nextafter(0, -1), same)

    assert distance_of(same) < 1e-4
    assert distance_of(moved) > 0.01


def test_largest_window_has_exact_sums():
    """The integers of 1,000 rows against 2,000 do not overflow."""
    rows = np.arange(2000.0)[:, None]
    reference = RankReference(rows)
    window = RankWindow(reference, 1000)

    for place in reference.place(rows[:1000] + 5000):
        [distance] = window.push(place)

    assert distance == pytest.approx(distance_by_definition(rows[:1000, 0] + 5000, rows[:, 0]), abs=1e-12)
