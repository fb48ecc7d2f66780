"""The Mulcross rows have the documented distribution."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.mulcross.rows import CLUSTER_DISTANCE, make_rows


def test_a_tenth_of_the_rows_is_in_two_clusters():
    """Half of the outliers on each of the first two axes, with the same spread as the cloud."""
    rows, is_outlier = make_rows(seed=3, n_rows=40_000)

    assert is_outlier.sum() == 4000
    # 0.99 quantile of the chi-square distribution with 4 degrees of freedom, from a published table.
    assert pytest.approx(2 * 13.277**0.5, abs=1e-3) == CLUSTER_DISTANCE
    on_second_axis = rows[is_outlier][:, 1] > CLUSTER_DISTANCE / 2
    assert on_second_axis.sum() == pytest.approx(2000, abs=20)
    assert np.allclose(rows[~is_outlier].mean(axis=0), 0, atol=0.05)
    assert np.allclose(rows[is_outlier][on_second_axis].mean(axis=0), [0, CLUSTER_DISTANCE, 0, 0], atol=0.15)
    assert np.allclose(rows[is_outlier][on_second_axis].std(axis=0), 1, atol=0.1)


def test_outliers_are_spread_over_the_file():
    """The order of the rows does not reveal them."""
    _, is_outlier = make_rows(seed=3, n_rows=40_000)

    assert is_outlier[:20_000].sum() == pytest.approx(2000, abs=200)


def test_rows_depend_on_the_seed():
    """Equal seeds give equal rows, different seeds different ones."""
    first, again, other = (make_rows(seed, n_rows=100)[0] for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
