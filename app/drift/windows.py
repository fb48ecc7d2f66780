"""The statistics of all detectors over the same sliding window of the last rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from app.drift.calibration import CVM, MMD, OUTLIER_RATE, SCORE, Calibration
from app.drift.cvm import RankReference, RankWindow
from app.drift.mmd import Encode, KernelReference, KernelWindow
from app.drift.thresholds import Thresholds, find_confirming_thresholds, find_thresholds, settling_rows


def round_to_single(numbers: ArrayLike) -> NDArray[np.float64]:
    """Round to float32, as the forest does, and return float64.

    Many rows may share a value. A client that sends it in single precision, or a processor that rounds the last bit of
    a score differently, must not look like a change of all of them.

    Examples
    --------
    >>> round_to_single(0.1) == round_to_single(np.float32(0.1))
    np.True_
    """
    return np.asarray(numbers, dtype=np.float32).astype(np.float64)


def step_between_outlier_shares(training_share: float, size: int) -> float:
    """Return the smallest difference between two values of the absolute difference of the shares.

    A random part of it, added to the statistic, leaves the order of the values as it is and makes them continuous, so
    that the threshold can have any run time.

    Parameters
    ----------
    training_share
        Share of the training rows that the model flagged, in [0, 1].
    size
        Rows in the window.

    Examples
    --------
    >>> step_between_outlier_shares(0.5, 4), round(step_between_outlier_shares(0.001, 100), 3)
    (0.25, 0.008)
    """
    # Rounding merges two shares that are equally far above and below that of training.
    steps = np.unique(np.abs(np.arange(size + 1) / size - training_share).round(12))
    return float(np.diff(steps).min())


# Standard errors by which the true share of outliers may exceed that in training. With 4,000 training rows, of which 4
# are outliers, 0.06 false events are then expected in the time in which one is allowed; with 0 instead of 2, 1.2 are.
_ERRORS = 2

_SIMULATED_WINDOWS = 400_000

# As in training.drift.simulate: a stream continues for so many windows after its threshold has settled.
_WINDOWS_AT_RISK = 10

# So many signals, or as many as there are in so many rows, which take two seconds: some 800 at the default run time,
# whose mean has a standard error of 4 %.
_MAX_SIGNALS, _MAX_ROWS = 1000, 5_000_000

# Labels are simulated in parts of so many rows, to save memory.
_ROWS_AT_ONCE = 1_000_000


def find_outlier_rate_thresholds(
    training_share: float, n_training: int | None, size: int, run_time: int, max_rows: int = _MAX_ROWS
) -> Thresholds:
    """Find the thresholds of the share of outliers on simulated streams of labels.

    Without drift, labels are independent with the probability of an outlier in training, so neither rows nor trees are
    needed. Labels of a part of the training rows would know that probability less well.

    Parameters
    ----------
    training_share
        Share of the training rows that the model flagged, in [0, 1].
    n_training
        Number of training rows; the fewer, the higher are the confirming thresholds. None if it is not known.
    size
        Rows in the window.
    run_time
        Wanted expected number of rows between signals without drift.
    max_rows
        Rows in all streams, at most.

    Examples
    --------
    One row in a hundred is an outlier; a window with five or more of them signals:

    >>> find_outlier_rate_thresholds(0.01, 4000, size=100, run_time=5000).lines[-1].round(3)
    np.float64(0.04)

    The fewer training rows, the higher are the confirming thresholds:

    >>> few, many = (find_outlier_rate_thresholds(0.01, n_rows, 100, run_time=300) for n_rows in (4000, 1_000_000))
    >>> few.confirming[30].round(3), many.confirming[30].round(3)
    (np.float64(0.034), np.float64(0.028))
    """
    generator = np.random.default_rng(0)  # the same share gives the same file
    n_windows = settling_rows(size) + min(_WINDOWS_AT_RISK * size, run_time)
    statistics = np.empty((ceil(min(max_rows, _MAX_SIGNALS * run_time) / n_windows), n_windows))
    for part in np.array_split(statistics, ceil(statistics.size / _ROWS_AT_ONCE)):
        labels = generator.random((len(part), n_windows + size - 1)) < training_share
        part[:] = slide_outlier_shares(labels, training_share, size)
        part += step_between_outlier_shares(training_share, size) * generator.random(part.shape)
    thresholds = find_thresholds(statistics, size, run_time)
    if n_training is None:
        return thresholds
    return replace(thresholds, confirming=_find_confirming_outlier_shares(training_share, n_training, size))


def slide_outlier_shares(are_outliers: NDArray[np.bool_], training_share: float, size: int) -> NDArray[np.float64]:
    """Compute the statistic of :class:`OutlierWindow` after each full window, shape ``(n_streams, n_rows - size + 1)``.

    Parameters
    ----------
    are_outliers
        Shape ``(n_streams, n_rows)``.
    training_share
        Share of the training rows that the model flagged, in [0, 1].
    size
        Rows in the window.
    """
    sums = np.cumsum(are_outliers, axis=1, dtype=np.int64)
    sums[:, size:] -= sums[:, :-size].copy()
    shares: NDArray[np.float64] = np.abs(sums[:, size - 1 :] / size - training_share)
    return shares


def _find_confirming_outlier_shares(training_share: float, n_training: int, size: int) -> NDArray[np.float64]:
    """Return the confirming thresholds of the share of outliers; they include that the training rows are a sample."""
    generator = np.random.default_rng(0)  # the same share gives the same file
    error = np.sqrt(max(training_share, 1 / n_training) / n_training)
    counts = generator.binomial(size, min(training_share + _ERRORS * error, 1.0), _SIMULATED_WINDOWS)
    statistics = np.abs(counts / size - training_share)
    statistics += step_between_outlier_shares(training_share, size) * generator.random(len(counts))
    return find_confirming_thresholds(statistics)


class OutlierWindow:
    """The share of outliers among the last rows, compared with training.

    Parameters
    ----------
    training_share
        Share of the training rows that the model flagged, in [0, 1].
    size
        Rows in the window, at least 2.

    Examples
    --------
    >>> window = OutlierWindow(training_share=0.25, size=4)
    >>> [window.push(is_outlier) for is_outlier in (True, False, False, False)][-1]
    0.0
    >>> window.push(False)
    0.25
    """

    def __init__(self, training_share: float, size: int) -> None:
        self._share, self._size = training_share, size
        self._labels = deque([False] * size, maxlen=size)
        self._count = 0

    def push(self, is_outlier: bool) -> float:
        """Replace the oldest row by a new one.

        Returns
        -------
        The absolute difference of the shares, in [0, 1]; meaningful once the window is full.
        """
        self._count += is_outlier - self._labels[0]
        self._labels.append(is_outlier)
        return abs(self._count / self._size - self._share)


# Where many rows are equal, so are many windows, and a threshold equal to their common statistic would let all or none
# of them signal. Far smaller than any meaningful difference, far larger than rounding errors.
JITTER = 1e-9

# Its multiples modulo 1 are spread evenly, and depend on the number of the row only.
GOLDEN_RATIO = (5**0.5 - 1) / 2


# Of the mixing steps and of the numbers that they mix.
_BITS = 2**64 - 1


def random_fraction(number: int) -> float:
    """Return a number in [0, 1) that depends on the number of the row only, and looks random.

    Multiples of the golden ratio will not do where the fraction alone decides: they are so regular that signals would
    come nearly periodically, and not at random.

    References
    ----------
    G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (SplitMix64).

    Examples
    --------
    >>> [round(random_fraction(number), 3) for number in range(3)]
    [0.883, 0.432, 0.026]
    """
    mixed = (number + 1) * 0x9E3779B97F4A7C15 & _BITS
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _BITS
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _BITS
    return (mixed ^ mixed >> 31) / 2**64


class Statistics(NamedTuple):
    """The statistics of the window after a row.

    Parameters
    ----------
    by_detector
        The statistic of each detector: larger is farther from training.
    distances
        The rank distance of each feature and, last, of the score, in units of the distance that one undrifted window in
        a thousand exceeds; shape ``(n_features + 1,)``.
    """

    by_detector: dict[str, float]
    distances: NDArray[np.float64]


class SlidingStatistics:
    """The windows of all detectors, which get the same rows.

    Parameters
    ----------
    calibration
        The result of calibration in training.
    encode
        Makes the forest's features of columns; None if they are the columns.
    """

    def __init__(self, calibration: Calibration, encode: Encode | None = None) -> None:
        rows = round_to_single(calibration.reference_rows)
        scores = round_to_single(calibration.reference_scores)
        self._size, self._training_outlier_share = calibration.window, calibration.training_outlier_share
        encode = encode if calibration.is_mmd_encoded else None
        self._kernel_reference = KernelReference(rows, calibration.bandwidth, encode)
        self._rank_reference = RankReference(np.column_stack([rows, scores]))
        self._per_scale = 1 / calibration.distance_scales
        # Calibrations of earlier releases have one threshold, midway between two shares, and no random part.
        is_continuous = len(calibration.thresholds[OUTLIER_RATE].starts) > 1
        step = step_between_outlier_shares(self._training_outlier_share, self._size)
        self._outlier_jitter = step if is_continuous else 0.0
        self.clear()

    def clear(self) -> None:
        """Empty the windows; the reference rows, which take far longer to prepare, are kept."""
        self._kernel_window = KernelWindow(self._kernel_reference, self._size)
        self._rank_window = RankWindow(self._rank_reference, self._size)
        self._outlier_window = OutlierWindow(self._training_outlier_share, self._size)

    def push(
        self, rows: NDArray[np.float64], scores: NDArray[np.float64], are_outliers: NDArray[np.bool_], first: int
    ) -> Iterator[Statistics]:
        """Replace the oldest rows by new ones, one after the other.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``, finite.
        scores
            Shape ``(n_rows,)``: lower is more abnormal.
        are_outliers
            Which of them the model flagged, shape ``(n_rows,)``.
        first
            The number of the first of these rows, which determines the jitter.

        Returns
        -------
        The statistics after each row; meaningful once the window is full.
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
                OUTLIER_RATE: self._outlier_window.push(is_outlier) + self._outlier_jitter * random_fraction(number),
            }
            yield Statistics(statistics, distances)
