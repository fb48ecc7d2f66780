"""Calibrates the detector of the share of outliers for another threshold of the model.

The other detectors compare features and scores, which a threshold does not change.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.drift.calibration import OUTLIER_RATE, Calibration
from app.drift.windows import find_outlier_rate_thresholds


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
    # Bundles of earlier releases do not say how many training rows there were.
    n_training = int(calibration.bins[0].counts.sum()) if calibration.bins else None
    outlier_rate = find_outlier_rate_thresholds(
        outlier_share, n_training, calibration.window, calibration.expected_run_time
    )
    changed = replace(
        calibration,
        training_outlier_share=outlier_share,
        thresholds=calibration.thresholds | {OUTLIER_RATE: outlier_rate},
    )
    changed.write(drift_file)
