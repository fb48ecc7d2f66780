"""Features are scaled, whatever their distribution."""

from __future__ import annotations

import numpy as np
import pytest

from app.drift.mmd import RobustScaling
from app.drift.windows import round_to_single


@pytest.mark.parametrize(
    ("share_equal", "spread"), [(0.0, 499.5), (0.6, 749.25), (0.8, 899.1), (0.93, 949.05), (0.98, 989.01), (0.995, 999)]
)
def test_spread_is_that_of_the_narrowest_range_with_one(share_equal, spread):
    """The more rows are equal, the wider the range."""
    column = np.arange(1000.0)
    column[column < share_equal * 1000] = 0

    scaling = RobustScaling.of(column[:, None])

    assert scaling.spread[0] == pytest.approx(spread)
    assert np.isfinite(scaling.apply(column[:, None])).all()


def test_constant_feature_has_the_spread_1():
    """There is no division by zero."""
    scaling = RobustScaling.of(np.full((10, 1), 7.0))

    assert scaling.apply(np.array([[7.0], [8.0]])).ravel() == pytest.approx([0, np.arcsinh(1)])


def test_single_precision_makes_no_difference():
    """A client that sends float32 numbers sends the same rows."""
    rows = np.random.default_rng(1).normal(size=(100, 2))

    assert np.array_equal(round_to_single(rows), round_to_single(rows.astype(np.float32)))
    assert round_to_single(rows).dtype == np.float64
