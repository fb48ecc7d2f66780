"""The share of outliers slides with the window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.drift.calibration import OUTLIER_RATE
from app.drift.thresholds import Thresholds
from app.drift.windows import (
    OutlierWindow,
    SlidingStatistics,
    find_outlier_rate_thresholds,
    slide_outlier_shares,
    step_between_outlier_shares,
)


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


@pytest.mark.parametrize(("n_training", "most"), [(4000, 6.0), (64_227, 1.6)])
def test_outlier_rate_runs_as_long_as_requested(n_training, most):
    """On average over models; of 4,000 training rows, forty outliers leave the true share of one model open."""
    generator, true_share, size, run_time = np.random.default_rng(3), 0.01, 50, 300
    runs = []
    for share in generator.binomial(n_training, true_share, 40) / n_training:
        lines = find_outlier_rate_thresholds(share, n_training, size, run_time, max_rows=200_000).by_row()
        labels = generator.random((400, len(lines) + 400 + size - 1)) < true_share
        statistics = slide_outlier_shares(labels, share, size)
        statistics += step_between_outlier_shares(share, size) * generator.random(statistics.shape)
        above = statistics > np.append(lines, np.full(400, lines[-1]))
        rows = np.where(above.any(axis=1), above.argmax(axis=1) + 1, above.shape[1])
        runs.append(rows.sum() / above.any(axis=1).sum() / run_time)

    assert 0.85 <= np.mean(runs) <= 1.25
    assert 1 / most <= min(runs) <= max(runs) <= most
