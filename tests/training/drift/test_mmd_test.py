"""Whole rows are compared by the MMD, with a permutation test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, permutation_test

from app.drift.mmd import RobustScaling
from training.drift.calibrate import find_bandwidth
from training.drift.mmd_test import MAX_ROWS, compare_rows


def discrepancy_by_definition(reference, current):
    """Compute the mean similarity of pairs within each sample, minus twice that of pairs between them."""
    pooled = np.concatenate([reference, current])
    scaling, bandwidth = RobustScaling.of(pooled), find_bandwidth(pooled)

    def mean_similarity(rows, others):
        pairs = [(x, y) for x in scaling.apply(rows) for y in scaling.apply(others)]
        return np.mean([np.exp(-np.sum((x - y) ** 2) / (2 * bandwidth**2)) for x, y in pairs])

    within = mean_similarity(reference, reference) + mean_similarity(current, current)
    return within - 2 * mean_similarity(reference, current)


def draw_rows(n_rows, shift=0.0, seed=1):
    """Draw rows with two features, the first of which is shifted."""
    return np.random.default_rng(seed).normal(size=(n_rows, 2)) + np.array([shift, 0])


def test_discrepancy_and_p_value_follow_the_definition():
    """SciPy enumerates all permutations; 999 random ones come close."""
    reference, current = draw_rows(6), draw_rows(5, shift=1.2, seed=2)
    places = np.arange(11)
    pooled = np.concatenate([reference, current])
    every = permutation_test(
        (places[:6], places[6:]),
        lambda one, other: discrepancy_by_definition(pooled[one], pooled[other]),
        alternative="greater",
        n_resamples=np.inf,
    )

    found = compare_rows(reference, current)

    assert found.discrepancy == pytest.approx(every.statistic)
    assert found.p_value == pytest.approx(every.pvalue, abs=0.04)
    assert found.by_chance == pytest.approx(every.null_distribution.mean(), rel=0.05)


def test_p_value_is_uniform_without_a_change(is_long):
    """About a fifth of the unchanged samples has a p-value below 0.2."""
    n_samples = 500 if is_long else 60
    generator = np.random.default_rng(5)
    p_values = [compare_rows(*generator.lognormal(size=(2, 40, 2))).p_value for _ in range(n_samples)]

    assert np.mean(np.array(p_values) <= 0.2) == pytest.approx(0.2, abs=3 * np.sqrt(0.2 * 0.8 / n_samples))


def test_changed_correlation_is_detected():
    """Each feature has the same distribution, but their correlation is gone."""
    generator = np.random.default_rng(3)
    rows = generator.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], size=400)
    turned = generator.multivariate_normal([0, 0], [[1, -0.9], [-0.9, 1]], size=400)

    found = compare_rows(rows, turned)

    assert found.p_value == 0.001
    assert found.effect > 0.1
    for columns in zip(rows.T, turned.T, strict=True):
        assert ks_2samp(*columns).pvalue > 0.05


@pytest.mark.parametrize("rows", [np.full((30, 2), 7.0), np.zeros((30, 1))])
def test_equal_rows_do_not_differ(rows):
    """Rounding does not create a difference."""
    found = compare_rows(rows, rows[:20])

    assert found.p_value == 1
    assert found.effect == pytest.approx(0, abs=1e-6)


def test_disjoint_samples_have_the_largest_distance():
    """The effect is then close to the square root of 2."""
    reference = np.zeros((50, 1))

    found = compare_rows(reference, reference + 1e9)

    assert found.p_value == 0.001
    assert 0.8 < found.effect < 2**0.5


def test_many_rows_are_sampled():
    """The same rows each time, and the result has their number."""
    reference, current = draw_rows(2 * MAX_ROWS), draw_rows(300, seed=2)

    found = compare_rows(reference, current)

    assert (found.n_reference, found.n_current) == (MAX_ROWS, 300)
    assert found == compare_rows(reference, current)
