"""The share of outliers slides with the window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.drift.calibration import OUTLIER_RATE
from app.drift.thresholds import Thresholds
from app.drift.windows import OutlierWindow, SlidingStatistics, step_between_outlier_shares


def test_share_is_that_of_the_last_rows():
    """Differences from training count in both directions."""
    are_outliers = np.random.default_rng(1).random(200) < 0.3
    window = OutlierWindow(training_share=0.25, size=10)

    given = [window.push(each) for each in are_outliers.tolist()][9:]

    expected = [abs(are_outliers[end - 10 : end].mean() - 0.25) for end in range(10, 201)]
    assert np.allclose(given, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("n_lines", [1, 3], ids=["earlier release", "now"])
def test_random_part_keeps_the_order_of_shares(calibration, n_lines):
    """It is below the smallest step; a threshold of an earlier release is between two shares, and has none."""
    lines = Thresholds(np.arange(n_lines), np.full(n_lines, 0.5), np.full(80, 0.5), 300.0)
    made = replace(calibration, thresholds=calibration.thresholds | {OUTLIER_RATE: lines})
    rows = np.repeat(calibration.reference_rows[:1], 200, axis=0)
    are_outliers = np.random.default_rng(2).random(200) < 0.3
    exact = OutlierWindow(made.training_outlier_share, made.window)
    step = step_between_outlier_shares(made.training_outlier_share, made.window)

    after_rows = SlidingStatistics(made).push(rows, np.zeros(200), are_outliers, 0)
    found = [each.by_detector[OUTLIER_RATE] for each in after_rows]

    parts = np.array(found) - [exact.push(each) for each in are_outliers.tolist()]
    assert (parts >= -1e-12).all()
    assert (parts < step).all()
    assert (len(np.unique(parts.round(9))) > 100) == (n_lines > 1)
