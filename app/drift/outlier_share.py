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

from app.drift.calibration import OUTLIER_RATE, Calibration, Thresholds
from app.drift.thresholds import find_step_threshold

# The seed of training, so that the same share gives the same file.
_SEED = 0

# Rows in all streams: 200 signals at the default run time, which is enough for steps that differ by a factor of two in
# run time, and computed in half a second.
_ROWS = 1_000_000

# Windows of a stream: as many as in training.
_WINDOWS = 12


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
    outlier_rate = find_outlier_rate_threshold(outlier_share, calibration.window, calibration.expected_run_time)
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
        Wanted minimum of the expected number of rows between signals without drift.

    Examples
    --------
    One row in a hundred is an outlier; a window with five or more signals:

    >>> find_outlier_rate_threshold(0.01, window=100, run_time=5000).lines.round(3)
    array([0.035])
    """
    generator = np.random.default_rng(_SEED)
    n_windows = min(_WINDOWS * window, run_time)
    labels = generator.random((ceil(_ROWS / n_windows), n_windows + window - 1)) < outlier_share
    steps = np.unique(np.abs(np.arange(window + 1) / window - outlier_share).round(12))
    return find_step_threshold(np.abs(_count(labels, window) / window - outlier_share), steps, window, run_time)


def _count(labels: NDArray[np.bool_], window: int) -> NDArray[np.int64]:
    """Count the outliers of each full window, shape ``(n_streams, n_rows - window + 1)``."""
    sums = np.cumsum(labels, axis=1, dtype=np.int64)
    counts = sums[:, window - 1 :].copy()
    counts[:, 1:] -= sums[:, :-window]
    return counts
