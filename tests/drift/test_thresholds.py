"""Thresholds are found by row and by probability."""

from __future__ import annotations

import numpy as np
import pytest

from app.drift.thresholds import CONFIRMING_SHARES, Thresholds

THRESHOLDS = Thresholds(np.array([0, 1, 3]), np.array([3.0, 2.0, 1.0]), 1 - CONFIRMING_SHARES, run_time=300)


@pytest.mark.parametrize("share", [0.25, 0.1, 0.0864, 0.001])
def test_confirming_threshold_is_exceeded_at_most_as_often_as_requested(share):
    """The nearest stored share below; here the threshold is 1 minus its share."""
    line = THRESHOLDS.confirming_threshold(share)

    assert 1 - share <= line + 1e-9
    assert line == pytest.approx(1 - share, rel=0.02)


def test_share_for_which_nothing_is_stored_is_refused():
    """It could not be estimated from the simulated windows."""
    with pytest.raises(ValueError, match=r"for the probability 0.0005; pass 0.001 or more"):
        THRESHOLDS.confirming_threshold(0.0005)
