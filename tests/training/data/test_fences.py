"""Fences and whiskers of a box plot."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.data.summary import find_fences

VALUES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-3.4e38, 3.4e38))


@given(VALUES)
def test_every_value_is_inside_or_outside(values):
    """Whiskers end at values, within the fences; what is not between them is counted."""
    fences = find_fences(values)

    assert fences.low <= fences.lower_quartile <= fences.median <= fences.upper_quartile <= fences.high
    assert fences.low_whisker in values
    assert fences.high_whisker in values
    assert fences.low <= fences.low_whisker <= fences.high_whisker <= fences.high
    assert fences.n_below == (values < fences.low_whisker).sum()
    assert fences.n_above == (values > fences.high_whisker).sum()
    assert fences.n_outside == fences.n_below + fences.n_above


def test_constant_has_a_box_without_width():
    """And nothing outside."""
    fences = find_fences(np.full(7, 0.1))

    assert (fences.low, fences.high, fences.n_outside) == (0.1, 0.1, 0)


def test_normal_values_lie_outside_as_often_as_tukey_says():
    """About 7 of 1,000."""
    fences = find_fences(np.random.default_rng(1).normal(size=200_000))

    assert abs(fences.n_outside / 200_000 - 0.007) < 0.001
