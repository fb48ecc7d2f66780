"""Fences and whiskers of box plots."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.data.summary import find_fences

VALUES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-3.4e38, 3.4e38))


@given(VALUES)
def test_every_value_is_within_the_whiskers_or_counted_as_outside(values):
    """Whiskers end at values within the fences."""
    fences = find_fences(values)

    assert fences.low <= fences.lower_quartile <= fences.median <= fences.upper_quartile <= fences.high
    assert fences.low_whisker in values
    assert fences.high_whisker in values
    assert fences.low <= fences.low_whisker <= fences.high_whisker <= fences.high
    assert fences.n_below == (values < fences.low_whisker).sum()
    assert fences.n_above == (values > fences.high_whisker).sum()
    assert fences.n_outside == fences.n_below + fences.n_above


def test_constant_has_a_box_of_zero_width():
    """And no value outside."""
    fences = find_fences(np.full(7, 0.1))

    assert (fences.low, fences.high, fences.n_outside) == (0.1, 0.1, 0)


def test_normal_values_outside_are_as_frequent_as_in_theory():
    """About 7 of 1,000, after Tukey."""
    fences = find_fences(np.random.default_rng(1).normal(size=200_000))

    assert abs(fences.n_outside / 200_000 - 0.007) < 0.001
