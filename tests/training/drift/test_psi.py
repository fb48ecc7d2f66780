"""The population stability index, with a threshold that has the same error rate for any number of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import chi2

from training.drift.psi import Stability, count_by_bin, find_bins, stability_index

COUNTS = arrays(np.int64, 5, elements=st.integers(0, 1000)).filter(lambda counts: counts.sum() > 0)


def draw_smooth(generator, n_rows):
    """Draw distinct values."""
    return generator.normal(size=n_rows)


def draw_shared(generator, n_rows):
    """Draw values half of which are on three points, with heavy tails."""
    points = generator.choice([0.2, 0.5, 1.0], n_rows, p=[0.7, 0.2, 0.1])
    return np.where(generator.random(n_rows) < 0.5, points, generator.lognormal(size=n_rows))


@given(COUNTS, COUNTS)
def test_index_is_a_distance(one, other):
    """It is never negative, symmetric, and 0 for equal shares."""
    index = stability_index(one, other)

    assert index >= 0
    assert index == pytest.approx(stability_index(other, one))
    assert stability_index(one, 3 * one) == 0


def test_index_follows_its_formula():
    """The sum of (q - p) ln(q / p) over the bins; an empty bin counts as half a row of the smaller sample."""
    p, q = np.array([0.2, 0.3, 0.5]), np.array([0.25, 0.25, 0.5])
    assert stability_index((100 * p).astype(int), (1000 * q).astype(int)) == pytest.approx(
        ((q - p) * np.log(q / p)).sum()
    )

    half_a_row = 0.5 / 10
    assert stability_index(np.array([10, 0]), np.array([50, 50])) == pytest.approx(
        (0.5 - 1) * np.log(0.5 / 1) + (0.5 - half_a_row) * np.log(0.5 / half_a_row)
    )


def test_fixed_threshold_depends_on_the_number_of_rows():
    """With ten bins, 83 % of unchanged samples of 100 rows exceed 0.1, and of 1,000 rows none, as in theory."""
    assert chi2.sf(0.1 / (1 / 100 + 1 / 100), df=9) == pytest.approx(0.834, abs=0.001)
    shares = {}
    for n_rows in (100, 1000):
        generator = np.random.default_rng(n_rows)
        found = [Stability.of(*generator.normal(size=(2, n_rows))) for _ in range(300)]
        assert all(len(stability.reference) == 10 for stability in found)
        shares[n_rows] = np.mean([stability.index > 0.1 for stability in found])

    assert shares[100] == pytest.approx(0.834, abs=0.06)
    assert shares[1000] == 0


@pytest.mark.parametrize("draw", [draw_smooth, draw_shared])
@pytest.mark.parametrize(("n_reference", "n_current"), [(20, 20), (100, 100), (5000, 100), (100, 5000), (1000, 1000)])
def test_threshold_is_exceeded_by_one_unchanged_sample_in_twenty(draw, n_reference, n_current, is_long):
    """For any number of rows, with and without repeated values; never by many more."""
    generator = np.random.default_rng(n_reference + n_current)
    n_samples = 2000 if is_long else 250
    exceeded = 0
    for _ in range(n_samples):
        stability = Stability.of(draw(generator, n_reference), draw(generator, n_current))
        exceeded += stability.index > stability.threshold

    # Three standard errors around 5 %; if few rows are expected in a bin, the threshold may be exceeded less often.
    error = np.sqrt(0.05 * 0.95 / n_samples)
    assert exceeded / n_samples < 0.05 + 3 * error
    assert exceeded / n_samples > (0.005 if min(n_reference, n_current) <= 100 else 0.05 - 3 * error)


def test_tiny_move_of_a_frequent_value_is_detected():
    """A frequent value has its own bin."""
    values = draw_shared(np.random.default_rng(1), 2000)

    stability = Stability.of(values, np.where(values == 0.2, np.nextafter(0.2, 0), values))

    assert stability.index > 10 * stability.threshold


def test_only_a_changed_constant_is_unstable():
    """Even if one sample has many more rows than the other."""
    same = Stability.of(np.full(5000, 7.0), np.full(50, 7.0))
    assert (same.index, same.threshold) == (0, 0)

    for elsewhere in (6.9, 7.1):
        moved = Stability.of(np.full(5000, 7.0), np.full(50, elsewhere))
        assert moved.index > moved.threshold


@given(arrays(np.float64, st.integers(1, 60), elements=st.integers(-3, 3).map(float)), st.integers(20, 200))
def test_every_row_is_in_one_bin(values, n_rows):
    """Also repeated values, and values outside the range of the reference."""
    bins = find_bins(values, n_rows)

    assert (np.diff(bins) > 0).all()
    assert count_by_bin(values, bins).sum() == len(values)
    assert count_by_bin(np.array([-1e9, 1e9]), bins)[[0, -1]].tolist() == [1, 1]


@pytest.mark.parametrize(("n_rows", "n_bins"), [(20, 4), (49, 9), (50, 10), (1_000_000, 10)])
def test_few_rows_get_few_bins(n_rows, n_bins):
    """At least five rows are expected in each bin."""
    assert len(find_bins(np.arange(1000.0), n_rows)) + 1 == n_bins
