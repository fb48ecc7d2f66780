"""Features are compared by the Kolmogorov-Smirnov distance, with a permutation test that allows equal values."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from training.drift import ks_test
from training.drift.ks_test import compare_values


def p_value_by_definition(reference, current):
    """Try every way to divide the values: farther ones count fully, equally far ones half."""
    pooled = np.concatenate([reference, current])

    def distance(chosen):
        one, other = pooled[list(chosen)], np.delete(pooled, list(chosen))
        return max(abs(int((one <= v).sum()) * len(other) - int((other <= v).sum()) * len(one)) for v in pooled)

    observed = distance(range(len(reference)))
    permuted = np.array([distance(chosen) for chosen in combinations(range(len(pooled)), len(reference))])
    return ((permuted > observed).mean() + (permuted >= observed).mean()) / 2 if observed else 1.0


@pytest.mark.parametrize("n_values", [2, 4, 100])
def test_p_value_counts_all_permutations(n_values):
    """With many, some and hardly any equal values, and different numbers of rows."""
    generator = np.random.default_rng(n_values)
    for _ in range(8):
        reference, current = (
            generator.integers(n_values, size=n).astype(float) for n in generator.integers(2, 6, size=2)
        )

        found = compare_values(reference, current)

        assert found.p_value == pytest.approx(p_value_by_definition(reference, current), rel=1e-9)
        assert found.distance == pytest.approx(ks_2samp(reference, current, method="asymp").statistic)


@pytest.mark.parametrize("n_rows", [(20, 50), (300, 2000)])
def test_without_equal_values_it_is_the_exact_test(n_rows):
    """SciPy's exact p-value counts equally far permutations fully, so it is a little larger."""
    generator = np.random.default_rng(1)
    reference, current = generator.normal(size=n_rows[0]), generator.normal(0.15, size=n_rows[1])

    exact = ks_2samp(reference, current, method="exact")
    found = compare_values(reference, current)

    assert found.distance == pytest.approx(exact.statistic)
    assert 0.9 * exact.pvalue < found.p_value <= exact.pvalue


def test_one_in_twenty_unchanged_samples_of_tied_values_is_below_5_percent(is_long):
    """Nearly three quarters of the rows share one value, as in the example; the usual test would reject hardly any."""
    n_samples = 2000 if is_long else 150
    generator = np.random.default_rng(4)
    values = np.where(generator.random((n_samples, 400)) < 0.7, 0, generator.lognormal(size=(n_samples, 400)))

    p_values = np.array([compare_values(row[:200], row[200:]).p_value for row in values])

    assert (p_values < 0.05).mean() == pytest.approx(0.05, abs=3 * np.sqrt(0.05 * 0.95 / n_samples))
    if is_long:
        assert np.mean([ks_2samp(row[:200], row[200:]).pvalue < 0.05 for row in values]) < 0.02


@pytest.mark.parametrize("n_rows", [(2000, 2000), (3000, 150)])
def test_many_rows_are_reduced(n_rows, monkeypatch):
    """A smaller count has about the same p-value."""
    generator = np.random.default_rng(2)
    reference, current = (np.maximum(generator.normal(size=n), 0) for n in n_rows)
    current += 0.05 * (current > 0)
    counted = compare_values(reference, current)

    monkeypatch.setattr(ks_test, "_MAX_ROWS", 1000)
    reduced = compare_values(reference, current)

    assert reduced.distance == counted.distance
    assert reduced.p_value == pytest.approx(counted.p_value, rel=0.1)


def test_equal_and_disjoint_samples():
    """1 without a difference; tiny, but not 0, where all rows differ."""
    rows = np.repeat([1.0, 2.0], 50)

    assert compare_values(rows, rows).p_value == 1
    assert compare_values(rows, rows[:1]).p_value > 0.4
    assert 0 < compare_values(rows, rows + 5).p_value < 1e-50
