"""A sample of cases bounds the number of all cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2, gamma, poisson

from app.quality.intervals import poisson_interval


@pytest.mark.parametrize("n_cases", [0, 1, 2, 5, 9, 100])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_equal_weights_give_the_exact_interval(n_cases, confidence):
    """Quantiles of chi-square, as in Garwood's paper, times the weight."""
    low, high = poisson_interval(np.full(n_cases, 3.0), 3.0, confidence)

    beyond = (1 - confidence) / 2
    assert low == pytest.approx(3 * chi2.ppf(beyond, 2 * n_cases) / 2 if n_cases else 0)
    assert high == pytest.approx(3 * chi2.ppf(1 - beyond, 2 * n_cases + 2) / 2)


@pytest.mark.parametrize("mean", [0.1, 1.0, 3.0, 7.5])
def test_exact_interval_holds_for_every_mean(mean):
    """For any mean, the interval misses it at most one time in twenty."""
    intervals = [poisson_interval(np.ones(n_cases), 1.0) for n_cases in range(60)]

    missing = [n_cases for n_cases, (low, high) in enumerate(intervals) if not low <= mean <= high]
    assert poisson.pmf(missing, mean).sum() <= 0.05


@given(weights=st.lists(st.floats(0.01, 1000), min_size=1, max_size=12), factor=st.floats(1, 50))
def test_unequal_weights_give_the_interval_of_fay_and_feuer(weights, factor):
    """Gamma distributions with the mean and variance of the sum; for the upper end, of one more of the heaviest."""
    heaviest = factor * max(weights)
    total, variance = sum(weights), sum(weight**2 for weight in weights)

    low, high = poisson_interval(np.array(weights), heaviest)

    more, more_variance = total + heaviest, variance + heaviest**2
    assert low == pytest.approx(gamma.ppf(0.025, total**2 / variance, scale=variance / total))
    assert high == pytest.approx(gamma.ppf(0.975, more**2 / more_variance, scale=more_variance / more))
    assert low <= total <= high
