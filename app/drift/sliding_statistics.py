"""The statistics of all detectors over the same window of the last rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import CVM, MMD, OUTLIER_RATE, SCORE, Calibration
from app.drift.kernel_distance import KernelReference, KernelWindow
from app.drift.outlier_share import OutlierWindow
from app.drift.rank_distance import RankReference, RankWindow
from app.drift.single_precision import round_to_single

# Where many rows are equal, so are many windows, and a line that meets their common statistic would let all or none
# of them alarm. Far smaller than any difference that means something, far larger than what rounding does.
JITTER = 1e-9

# Multiples of it, taken modulo 1, are spread evenly, and need nothing to be remembered but the number of the row.
GOLDEN_RATIO = (5**0.5 - 1) / 2


class Statistics(NamedTuple):
    """What the window looks like after a row.

    Parameters
    ----------
    by_detector
        The statistic of each detector: the larger, the farther from training.
    distances
        The rank distance of each feature, and last of the score, in units of what one undrifted window in a thousand
        exceeds; shape ``(n_features + 1,)``.
    """

    by_detector: dict[str, float]
    distances: NDArray[np.float64]


class SlidingStatistics:
    """All windows, fed with the same rows.

    Parameters
    ----------
    calibration
        What training found.
    """

    def __init__(self, calibration: Calibration) -> None:
        rows = round_to_single(calibration.reference_rows)
        scores = round_to_single(calibration.reference_scores)
        size = calibration.window
        self._kernel_reference = KernelReference(rows, calibration.bandwidth)
        self._rank_reference = RankReference(np.column_stack([rows, scores]))
        self._kernel_window = KernelWindow(self._kernel_reference, size)
        self._rank_window = RankWindow(self._rank_reference, size)
        self._outlier_window = OutlierWindow(calibration.training_outlier_share, size)
        self._per_scale = 1 / calibration.distance_scales

    def push(
        self, rows: NDArray[np.float64], scores: NDArray[np.float64], are_outliers: NDArray[np.bool_], first: int
    ) -> Iterator[Statistics]:
        """Let rows take the places of the oldest ones, one after the other.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``, finite.
        scores
            Shape ``(n_rows,)``: the lower, the more abnormal.
        are_outliers
            Which of them the model flagged, shape ``(n_rows,)``.
        first
            The number of the first of these rows, which decides the jitter.

        Returns
        -------
        The statistics after each row; they mean something once the window is full.
        """
        rows = round_to_single(rows)
        points = self._kernel_reference.place(rows)
        places = self._rank_reference.place(np.column_stack([rows, round_to_single(scores)]))
        placed = zip(points, places, are_outliers.tolist(), strict=True)
        for number, (point, place, is_outlier) in enumerate(placed, first):
            jitter = JITTER * (number * GOLDEN_RATIO % 1)
            distances = self._rank_window.push(place)
            distances *= self._per_scale
            statistics = {
                MMD: self._kernel_window.push(point) + jitter,
                CVM: float(distances[:-1].max()) + jitter,
                SCORE: float(distances[-1]) + jitter,
                OUTLIER_RATE: self._outlier_window.push(is_outlier),
            }
            yield Statistics(statistics, distances)
