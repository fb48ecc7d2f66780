"""Thinning leaves few enough points to draw, and keeps those that stand out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.figures.points import KEPT_AT_EACH_END, thin_curve, thin_points, thin_values

LIMIT = 100
NUMBERS = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(-3.4e38, 3.4e38))


@given(st.integers(1, 400).flatmap(lambda n: arrays(np.float64, (n, 2), elements=NUMBERS, fill=st.just(0.0))))
def test_thinned_points_are_few_and_keep_the_range(points):
    """At most the limit, in order, without repetition, with the extremes of both axes; all if there are few."""
    drawn = thin_points(points, LIMIT)

    assert len(drawn) == min(len(points), LIMIT)
    assert (np.diff(drawn) > 0).all()
    assert np.array_equal(points[drawn].min(axis=0), points.min(axis=0))
    assert np.array_equal(points[drawn].max(axis=0), points.max(axis=0))


def test_isolated_point_is_drawn():
    """Even if it is extreme on neither axis."""
    generator = np.random.default_rng(1)
    cloud = generator.normal(size=(100_000, 2)) * [1, 0.01] + [0, 3]
    points = np.concatenate([cloud, -cloud, [[0.0, 0.5]]])

    drawn = thin_points(points, 1000)

    assert len(points) - 1 in drawn
    assert len(drawn) == 1000


def test_several_extreme_points_are_drawn():
    """The ten lowest and the ten highest of each axis."""
    points = np.random.default_rng(2).normal(size=(50_000, 2))

    drawn = set(thin_points(points, 500).tolist())

    for order in np.argsort(points, axis=0).T:
        assert drawn.issuperset(order[:KEPT_AT_EACH_END].tolist())
        assert drawn.issuperset(order[-KEPT_AT_EACH_END:].tolist())


def test_same_points_are_drawn_each_time():
    """A page that is generated again looks the same."""
    points = np.random.default_rng(3).normal(size=(5_000, 2))

    assert np.array_equal(thin_points(points, 200), thin_points(points, 200))


@pytest.mark.parametrize("n", [5, 100, 101, 10_000])
def test_thinned_values_are_few_and_keep_their_ends(n):
    """Ascending, without repetition, with the ten lowest and the ten highest."""
    values = np.random.default_rng(4).permutation(np.repeat(np.arange(float(n)), 2))

    drawn = thin_values(values, LIMIT)

    assert len(drawn) <= min(n, LIMIT)
    assert (np.diff(drawn) > 0).all()
    ends = min(n, KEPT_AT_EACH_END)
    assert drawn[:ends].tolist() == list(range(ends))
    assert drawn[-ends:].tolist() == list(range(n - ends, n))


def test_few_values_are_all_drawn():
    """Each once."""
    assert thin_values(np.array([3.0, 1.0, 3.0]), LIMIT).tolist() == [1, 3]


@given(arrays(np.float64, st.integers(1, 400), elements=NUMBERS, fill=st.just(0.0)), st.sampled_from([4, 7, 100]))
def test_thinned_curve_keeps_every_peak(values, limit):
    """At most the limit, in order, with the same minima and maxima; all points of a short curve."""
    drawn = thin_curve(values, limit)

    assert len(drawn) <= limit
    assert (np.diff(drawn) > 0).all()
    assert values[drawn].min() == values.min()
    assert values[drawn].max() == values.max()
    if len(values) <= limit:
        assert len(drawn) == len(values)
