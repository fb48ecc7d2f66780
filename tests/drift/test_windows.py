"""The share of outliers slides with the window."""

from __future__ import annotations

import numpy as np

from app.drift.windows import OutlierWindow


def test_share_is_that_of_the_last_rows():
    """Differences from training count in both directions."""
    are_outliers = np.random.default_rng(1).random(200) < 0.3
    window = OutlierWindow(training_share=0.25, size=10)

    given = [window.push(each) for each in are_outliers.tolist()][9:]

    expected = [abs(are_outliers[end - 10 : end].mean() - 0.25) for end in range(10, 201)]
    assert np.allclose(given, expected, rtol=0, atol=1e-15)
