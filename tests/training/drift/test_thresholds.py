"""Each row signals with the same probability, given that no earlier row has."""

from __future__ import annotations

import numpy as np
import pytest

from app.drift.thresholds import CONFIRMING_SHARES, find_thresholds, settling_rows

WINDOW, RUN_TIME = 10, 100


def make_streams(seed: int, ties: bool) -> np.ndarray:
    """Make moving averages, which are autocorrelated like the statistics; with ties they take few values."""
    noise = np.random.default_rng(seed).random((20_000, WINDOW - 1 + settling_rows(WINDOW) + 100))
    sums = np.cumsum((noise < 0.3).astype(np.float64) if ties else noise, axis=1)
    return (sums[:, WINDOW:] - sums[:, :-WINDOW]) / WINDOW


@pytest.mark.parametrize("ties", [False, True])
def test_signals_are_equally_frequent_in_every_part_of_a_run(ties):
    """On new streams, one in a hundred of the rows at risk signals, early and late."""
    jitter = np.random.default_rng(9).random((2, 20_000, 120)) * 1e-9
    calibrated, others = make_streams(1, ties) + jitter[0, :, : 119 + 0], make_streams(2, ties) + jitter[1, :, :119]

    thresholds = find_thresholds(calibrated, WINDOW, RUN_TIME)

    by_row = thresholds.by_row()
    thresholds_by_row = np.array([by_row[min(row, len(by_row) - 1)] for row in range(others.shape[1])])
    beyond = others > thresholds_by_row
    first = np.where(beyond.any(axis=1), beyond.argmax(axis=1), others.shape[1])
    for begin, end in ((0, 7), (7, 20), (20, 60), (60, others.shape[1])):
        signals = ((first >= begin) & (first < end)).sum()
        at_risk = (np.minimum(first + 1, end) - begin).clip(0).sum()
        assert signals / at_risk == pytest.approx(1 / RUN_TIME, rel=0.1)
    assert thresholds.run_time == RUN_TIME


def test_confirming_thresholds_are_exceeded_with_the_stored_probabilities():
    """At most, if the statistic takes few values."""
    for ties in (False, True):
        own = make_streams(1, ties)
        confirming = find_thresholds(own, WINDOW, RUN_TIME).confirming
        assert all(
            (own[:, ::WINDOW] > threshold).mean() <= share
            for threshold, share in zip(confirming, CONFIRMING_SHARES, strict=True)
        )
        windows = make_streams(2, ties)[:, ::WINDOW]
        shares = np.array([(windows > threshold).mean() for threshold in confirming])
        spread = 4 * np.sqrt(CONFIRMING_SHARES / windows.size)
        assert (shares <= CONFIRMING_SHARES + spread).all()
        assert ties or (shares >= CONFIRMING_SHARES - spread).all()
