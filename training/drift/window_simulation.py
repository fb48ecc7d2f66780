"""Statistics of many simulated streams at once: what the drift detectors compute row by row, for calibration.

A sum over the pairs of a sliding window changes by the pairs of the row that comes and of the row that goes, so each
pair of rows that are ever in one window is compared once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.drift.cvm import RankReference, Whole
from app.drift.mmd import KernelReference
from app.drift.windows import GOLDEN_RATIO, JITTER


def simulate_kernel_distances(
    reference: KernelReference, points: NDArray[np.float64], mean_similarities: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Compute what :class:`app.drift.mmd.KernelWindow` gives after each full window.

    Parameters
    ----------
    reference
        What to compare with.
    points
        The placed rows of each stream, features first: shape ``(n_features, n_streams, n_rows)``.
    mean_similarities
        Of these rows with the reference, shape ``(n_streams, n_rows)``.
    size
        Rows in the window.

    Returns
    -------
    Shape ``(n_streams, n_rows - size + 1)``.
    """

    def compare(lag: int) -> NDArray[np.float64]:
        similarities = np.zeros((points.shape[1], points.shape[2] - lag))
        for feature in points:
            difference = feature[:, lag:] - feature[:, :-lag]
            difference *= difference
            similarities -= difference
        return np.exp(similarities, out=similarities)

    pairs = _sum_pairs(compare, mean_similarities.shape, size, np.float64)
    with_reference = _sum_window(mean_similarities, size)
    distances: NDArray[np.float64] = (size + 2 * pairs) / size**2 - 2 / size * with_reference
    return distances + reference.own_similarity


def simulate_rank_distances(reference: RankReference, places: Whole, column: int, size: int) -> NDArray[np.float64]:
    """Compute what :class:`app.drift.cvm.RankWindow` gives for one column after each full window.

    Parameters
    ----------
    reference
        What to compare with.
    places
        Where the numbers of the column stand, shape ``(n_streams, n_rows)``.
    column
        Which one.
    size
        Rows in the window.

    Returns
    -------
    Shape ``(n_streams, n_rows - size + 1)``.
    """
    table = reference.table
    # Small numbers are compared several times faster; an overlap is at most four times the reference rows.
    small = np.int16 if 4 * reference.n_rows <= np.iinfo(np.int16).max else np.int32
    above, ties = table[0].astype(small).take(places), table[1].astype(small).take(places)
    names = (places - places.min()).astype(np.int32)

    def compare(lag: int) -> NDArray[Any]:
        overlaps: NDArray[Any] = np.minimum(above[:, lag:], above[:, :-lag])
        overlaps -= ties[:, lag:] * (names[:, lag:] == names[:, :-lag])
        return overlaps

    pairs = _sum_pairs(compare, places.shape, size, np.int64)
    with_itself = _sum_window((table[0] - table[1]).take(places), size)
    with_reference = _sum_window(table[2].take(places), size)
    n_rows, own = reference.n_rows, reference.own_overlaps[column]
    sums = n_rows**2 * (with_itself + 2 * pairs) - 2 * size * n_rows * with_reference + size**2 * own
    distances: NDArray[np.float64] = sums * (1 / (4 * n_rows**3 * size**2))
    return distances


def simulate_outlier_shares(are_outliers: NDArray[np.bool_], training_share: float, size: int) -> NDArray[np.float64]:
    """Compute what :class:`app.drift.windows.OutlierWindow` gives after each full window; shapes as above."""
    counts = _sum_window(are_outliers.astype(np.int64), size)
    shares: NDArray[np.float64] = np.abs(counts / size - training_share)
    return shares


def make_jitter(generator: np.random.Generator, n_streams: int, n_rows: int) -> NDArray[np.float64]:
    """Make the jitter of streams that begin at any row; shape ``(n_streams, n_rows)``."""
    begins = generator.random((n_streams, 1))
    jitter: NDArray[np.float64] = JITTER * ((begins + GOLDEN_RATIO * np.arange(n_rows)) % 1)
    return jitter


def _sum_pairs(
    compare: Callable[[int], NDArray[Any]], shape: tuple[int, ...], size: int, dtype: type[np.generic]
) -> NDArray[Any]:
    """Sum over all pairs of different rows in each full window, each pair once."""
    with_earlier, with_later = np.zeros((2, *shape), dtype)
    for lag in range(1, size):
        similarity = compare(lag)
        with_earlier[:, lag:] += similarity
        with_later[:, :-lag] += similarity
    # What came with each row so far, less what left with the rows that have left.
    sums = np.cumsum(with_earlier, axis=1)[:, size - 1 :]
    sums[:, 1:] -= np.cumsum(with_later, axis=1)[:, :-size]
    return sums


def _sum_window(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Sum the values of each full window; shape ``(n_streams, n_rows - size + 1)``."""
    sums = np.cumsum(values, axis=1)
    windows = sums[:, size - 1 :].copy()
    windows[:, 1:] -= sums[:, :-size]
    return windows
