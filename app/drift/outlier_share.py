"""Calibrates the detector of the share of outliers for another threshold of the model.

Without drift, labels are independent with the probability of an outlier in training, so neither rows nor trees are
needed. The other detectors compare features and scores, which a threshold does not change.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import OUTLIER_RATE, Calibration
from app.drift.thresholds import Thresholds, find_thresholds, settling_rows
from app.drift.windows import find_confirming_outlier_shares, step_between_outlier_shares

# The seed of training, so that the same share gives the same file.
_SEED = 0

# Rows in all streams, at most: some 800 signals at the default run time, whose mean has a standard error of 4 %.
_ROWS = 5_000_000

# Windows of a stream after its threshold has settled: as many as in training.
_WINDOWS = 10


def recalibrate(drift_file: Path, reference_file: Path, outlier_share: float) -> None:
    """Replace the share of outliers in ``drift.npz``, and the thresholds of its detector; do nothing without a file.

    Parameters
    ----------
    drift_file, reference_file
        ``drift.npz`` and ``reference.npz`` of a bundle that is not complete yet.
    outlier_share
        Share of the training rows that the new threshold flags, in [0, 1].
    """
    if not drift_file.exists():
        return
    calibration = Calibration.read(drift_file, reference_file)
    window = calibration.window
    outlier_rate = find_outlier_rate_threshold(outlier_share, window, calibration.expected_run_time)
    # Bundles of earlier releases do not say how many training rows there were.
    if calibration.bins:
        n_training = int(calibration.bins[0].counts.sum())
        confirming = find_confirming_outlier_shares(outlier_share, n_training, window)
        outlier_rate = replace(outlier_rate, confirming=confirming)
    changed = replace(
        calibration,
        training_outlier_share=outlier_share,
        thresholds=calibration.thresholds | {OUTLIER_RATE: outlier_rate},
    )
    changed.write(drift_file)


def find_outlier_rate_threshold(outlier_share: float, window: int, run_time: int) -> Thresholds:
    """Find the threshold on simulated streams of labels.

    Parameters
    ----------
    outlier_share
        The probability of an outlier, in [0, 1].
    window
        Rows in a window.
    run_time
        Wanted expected number of rows between signals without drift.

    Examples
    --------
    One row in a hundred is an outlier; a window with five or more of them signals:

    >>> find_outlier_rate_threshold(0.01, window=100, run_time=5000).lines[-1].round(3)
    np.float64(0.04)
    """
    generator = np.random.default_rng(_SEED)
    n_windows = settling_rows(window) + min(_WINDOWS * window, run_time)
    n_streams = ceil(min(_ROWS, 1000 * run_time) / n_windows)
    labels = generator.random((n_streams, n_windows + window - 1)) < outlier_share
    statistics = np.abs(_count(labels, window) / window - outlier_share)
    statistics += step_between_outlier_shares(outlier_share, window) * generator.random(statistics.shape)
    return find_thresholds(statistics, window, run_time)


def _count(labels: NDArray[np.bool_], window: int) -> NDArray[np.int64]:
    """Count the outliers of each full window, shape ``(n_streams, n_rows - window + 1)``."""
    sums = np.cumsum(labels, axis=1, dtype=np.int64)
    counts = sums[:, window - 1 :].copy()
    counts[:, 1:] -= sums[:, :-window]
    return counts
