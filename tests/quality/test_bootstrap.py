"""Drawn weights have the distribution of the Bayesian bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, kstest

from app.quality.bootstrap import draw_weights, interval


def test_share_of_equal_rows_has_a_beta_distribution():
    """As with a random weight for each row: 7 of 12."""
    few, others = draw_weights(np.array([7.0, 5.0]), np.array([7.0, 5.0]), 20_000, np.random.default_rng(0))

    assert kstest(few / (few + others), beta(7, 5).cdf).pvalue > 0.001


def test_groups_of_unequal_rows_have_the_mean_and_spread_of_their_sum():
    """A hundred thousand draws determine both to half a percent."""
    weights = np.array([1.0, 1.0, 10.0])

    [drawn] = draw_weights(np.array([weights.sum()]), np.array([(weights**2).sum()]), 100_000, np.random.default_rng(0))

    rows = np.random.default_rng(1).standard_exponential((100_000, 3)) * weights
    assert drawn.mean() == pytest.approx(weights.sum(), rel=0.01)
    assert drawn.std() == pytest.approx(rows.sum(axis=1).std(), rel=0.02)


def test_ends_are_draws():
    """The first of 39 is the end at 2.5 %; the interval always contains the figure."""
    draws = np.arange(1, 40) / 40

    assert interval(draws, draws, 0.5) == pytest.approx((1 / 40, 39 / 40))
    assert interval(draws, draws, 0.01) == pytest.approx((0.01, 39 / 40))
    assert interval(draws, draws, 0.99) == pytest.approx((1 / 40, 0.99))


def test_single_number_is_an_end():
    """It is used as it is."""
    assert interval(np.array([0.2]), np.array([0.9]), 0.5) == (0.2, 0.9)
