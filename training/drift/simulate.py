"""Simulate streams without drift, and what each drift detector computes from them.

When a window slides, a sum over its pairs changes only by the pairs of the row that enters and of the row that leaves:
each pair of rows that are ever in one window is compared once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_double, c_int64, c_void_p
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import CVM, MMD
from app.drift.cvm import RankReference
from app.drift.mmd import Encode, KernelReference, extend, table_of
from app.drift.windows import GOLDEN_RATIO, JITTER, round_to_single
from app.model.kernels import find_function

if TYPE_CHECKING:
    from training.drift.calibrate import ScoredRows

# Streams are simulated in batches that fit into a processor's cache.
_STREAMS_AT_ONCE = 64

# Each column's distances are divided by this quantile of windows without drift; calibration compensates for its error.
_SCALE_QUANTILE, _WINDOWS_FOR_SCALES = 0.999, 200_000


class DriftSimulation:
    """Streams without drift, the same for all detectors but ``outlier_rate``, which needs no rows.

    Parameters
    ----------
    reference
        Rows that the detectors compare with.
    others
        Rows that the streams are drawn from.
    bandwidth
        Bandwidth of the MMD kernel.
    window
        Rows in a window.
    n_streams, n_windows
        How many streams, and how many full windows of each.
    generator
        Draws the rows.
    encode
        Makes the forest's features of columns; None if they are the columns.
    """

    def __init__(
        self,
        reference: ScoredRows,
        others: ScoredRows,
        bandwidth: float,
        window: int,
        n_streams: int,
        n_windows: int,
        generator: np.random.Generator,
        encode: Encode | None = None,
    ) -> None:
        reference_rows, rows = round_to_single(reference.rows), round_to_single(others.rows)
        self._kernel = KernelReference(reference_rows, bandwidth, encode)
        self._ranks = RankReference(np.column_stack([reference_rows, round_to_single(reference.scores)]))
        self._points = self._kernel.place(rows)
        self._similarities = self._kernel.mean_similarity(self._points)
        places = self._ranks.place(np.column_stack([rows, round_to_single(others.scores)]))
        # A column after the other, because values are picked from one at a time.
        self._places = np.ascontiguousarray(places.T, np.int32)
        self._rank_sums = RankSums(self._ranks, window)
        self._window, self._n_windows = window, n_windows
        drawn = generator.integers(0, len(others), (n_streams, window - 1 + n_windows), dtype=np.int32)
        self._parts = np.array_split(drawn, ceil(n_streams / _STREAMS_AT_ONCE))
        self._jitter_seed = int(generator.integers(2**32))
        # Of each feature and last of the score.
        self.scales = np.array([self._find_scale(column) for column in range(self._ranks.n_columns)])

    def run(self, detector: str, on_progress: Callable[[float], None] = lambda share: None) -> NDArray[np.float64]:
        """Compute a detector's statistic for all streams.

        Parameters
        ----------
        detector
            ``mmd``, ``cvm`` or ``score``.
        on_progress
            Called regularly with the completed share, in [0, 1].

        Returns
        -------
        After each row from the first full window on, shape ``(n_streams, n_windows)``.
        """
        jitter = np.random.default_rng(self._jitter_seed)
        statistics = np.empty((sum(map(len, self._parts)), self._n_windows))
        n_done = 0
        # NumPy releases the interpreter lock in what takes long.
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
            all_computed = threads.map(partial(self._compute, detector), self._parts)
            for part, computed in zip(self._parts, all_computed, strict=True):
                computed += make_jitter(jitter, *computed.shape)
                statistics[n_done : n_done + len(part)] = computed
                n_done += len(part)
                on_progress(n_done / len(statistics))
        return statistics

    def _compute(self, detector: str, part: NDArray[np.int32]) -> NDArray[np.float64]:
        """Compute a detector's statistic for some streams, without jitter."""
        if detector == MMD:
            return simulate_kernel_distances(self._kernel, self._points[part], self._similarities[part], self._window)
        score = self._ranks.n_columns - 1
        columns = range(score) if detector == CVM else [score]
        highest = np.zeros((len(part), self._n_windows))
        for column in columns:
            np.maximum(highest, self._compute_distances(part, column) / self.scales[column], out=highest)
        return highest

    def _compute_distances(self, part: NDArray[np.int32], column: int) -> NDArray[np.float64]:
        """Compute the rank distances of a column in some streams."""
        return self._rank_sums.compute_distances(self._places[column].take(part), column)

    def _find_scale(self, column: int) -> float:
        """Find the distance that one window without drift in a thousand exceeds."""
        enough = self._parts[: ceil(_WINDOWS_FOR_SCALES / (_STREAMS_AT_ONCE * self._n_windows))]
        distances = np.concatenate([self._compute_distances(part, column) for part in enough])
        # The minimum is the distance of a window of which one row differs from a value that all reference rows share.
        return max(float(np.quantile(distances, _SCALE_QUANTILE)), 1 / (4 * self._window**2))


def simulate_kernel_distances(
    reference: KernelReference, points: NDArray[np.float64], mean_similarities: NDArray[np.float64], size: int
) -> NDArray[np.float64]:
    """Compute the statistic of :class:`app.drift.mmd.KernelWindow` after each full window.

    Parameters
    ----------
    reference
        Reference rows.
    points
        The placed rows of each stream, shape ``(n_streams, n_rows, n_features)``.
    mean_similarities
        Mean similarity of these rows with the reference, shape ``(n_streams, n_rows)``.
    size
        Rows in the window.

    Returns
    -------
    Shape ``(n_streams, n_rows - size + 1)``.
    """
    pairs = _sum_similarities(points, size)
    with_reference = _sum_window(mean_similarities, size)
    distances: NDArray[np.float64] = (size + 2 * pairs) / size**2 - 2 / size * with_reference
    return distances + reference.own_similarity


def _sum_similarities(points: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Sum the similarities of all pairs of placed rows in each full window; shapes as above."""
    with_earlier, with_later = np.zeros((2, *points.shape[:2]))
    if (kernel := _load_kernel("sum_window_similarities")) is not None:
        by_feature = np.ascontiguousarray(points.transpose(0, 2, 1))
        n_streams, n_features, n_rows = by_feature.shape
        sums = (with_earlier.ctypes.data, with_later.ctypes.data)
        kernel(by_feature.ctypes.data, n_streams, n_rows, n_features, size, *sums)
        return _sum_pairs(with_earlier, with_later, size)
    # Each block of rows with those up to a window before it: a product of matrices yields all exponents at once.
    table, extended = table_of(points), extend(points)
    n_rows, step = points.shape[1], max(1, size // 4)
    for start in range(0, n_rows, step):
        end, first = min(start + step, n_rows), max(0, start - size + 1)
        similarities = table[:, start:end] @ extended[:, first:end].transpose(0, 2, 1)
        np.exp(similarities, out=similarities)
        lags = np.arange(start, end)[:, None] - np.arange(first, end)
        similarities *= (lags > 0) & (lags < size)
        with_earlier[:, start:end] = similarities.sum(axis=2)
        with_later[:, first:end] += similarities.sum(axis=1)
    return _sum_pairs(with_earlier, with_later, size)


class RankSums:
    """What rows and pairs of rows add to the rank distance of a window, for each place in the reference.

    Parameters
    ----------
    reference
        Reference rows.
    size
        Rows in the window.
    """

    def __init__(self, reference: RankReference, size: int) -> None:
        n_rows, (levels, ties, with_reference) = reference.n_rows, reference.table
        # A level is at most four times the number of reference rows; small numbers are added faster.
        small = np.int16 if 4 * n_rows <= np.iinfo(np.int16).max else np.int64
        self._levels: NDArray[Any] = np.ascontiguousarray(levels, small)
        self._ties: NDArray[Any] = np.ascontiguousarray(ties, small)
        self._singles = n_rows**2 * (levels - ties) - 2 * size * n_rows * with_reference
        self._pair, self._all = 2 * n_rows**2, size**2 * reference.own_overlaps
        self._factor, self._size = 1 / (4 * n_rows**3 * size**2), size

    def compute_distances(self, places: NDArray[np.int32], column: int) -> NDArray[np.float64]:
        """Compute the statistic of :class:`app.drift.cvm.RankWindow` for one column after each full window.

        Parameters
        ----------
        places
            Of the column's values in the reference, shape ``(n_streams, n_rows)``.
        column
            Number of the column.

        Returns
        -------
        Shape ``(n_streams, n_rows - size + 1)``.
        """
        kernel = _load_kernel("compute_rank_distances")
        if kernel is None or self._levels.dtype != np.int16:
            sums = _sum_window(self._singles.take(places), self._size)
            sums += self._pair * _sum_overlaps(self._levels.take(places), self._ties.take(places), places, self._size)
            sums += self._all[column]
            return np.asarray(sums * self._factor)
        n_streams, n_rows = places.shape
        distances = np.empty((n_streams, n_rows - self._size + 1))
        tables = (table.ctypes.data for table in (self._levels, self._ties, self._singles))
        shape = (n_streams, n_rows, self._size)
        numbers = (self._pair, int(self._all[column]), self._factor)
        kernel(*tables, places.ctypes.data, *shape, *numbers, distances.ctypes.data)
        return distances


def _sum_overlaps(
    levels: NDArray[np.integer], ties: NDArray[np.integer], places: NDArray[np.int32], size: int
) -> NDArray[np.int64]:
    """Sum the overlaps of all pairs of rows in each full window: the smaller level, less the tie of equal values.

    Parameters
    ----------
    levels, ties, places
        Of each row, shape ``(n_streams, n_rows)``; equal rows have equal places.
    size
        Rows in the window.

    Returns
    -------
    Shape ``(n_streams, n_rows - size + 1)``.
    """
    wide = np.int32 if size * int(levels.max()) <= np.iinfo(np.int32).max else np.int64
    levels, ties = levels.astype(wide), ties.astype(wide)
    with_earlier, with_later = np.zeros((2, *levels.shape), wide)
    for lag in range(1, size):
        overlaps = np.minimum(levels[:, lag:], levels[:, :-lag])
        overlaps -= ties[:, lag:] * (places[:, lag:] == places[:, :-lag])
        with_earlier[:, lag:] += overlaps
        with_later[:, :-lag] += overlaps
    return _sum_pairs(with_earlier, with_later, size)


# With the types of their arguments.
_KERNELS: dict[str, tuple[type[c_void_p] | type[c_int64] | type[c_double], ...]] = {
    "compute_rank_distances": (*[c_void_p] * 4, *[c_int64] * 5, c_double, c_void_p),
    "sum_window_similarities": (c_void_p, *[c_int64] * 4, *[c_void_p] * 2),
}


def _load_kernel(name: str) -> Callable[..., None] | None:
    """Load a compiled function, which takes a tenth of the time; None if there is none."""
    return find_function(name, _KERNELS[name])


def make_jitter(generator: np.random.Generator, n_streams: int, n_rows: int) -> NDArray[np.float64]:
    """Generate the jitter of streams that start at random rows; shape ``(n_streams, n_rows)``."""
    begins = generator.random((n_streams, 1))
    jitter: NDArray[np.float64] = JITTER * ((begins + GOLDEN_RATIO * np.arange(n_rows)) % 1)
    return jitter


def _sum_pairs(with_earlier: NDArray[Any], with_later: NDArray[Any], size: int) -> NDArray[Any]:
    """Sum over all pairs in each full window: what rows added so far, minus what they removed when they left it."""
    dtype = np.result_type(with_earlier, np.int64)
    added, removed = (np.cumsum(each, axis=1, dtype=dtype) for each in (with_earlier, with_later))
    added[:, size:] -= removed[:, :-size]
    return added[:, size - 1 :]


def _sum_window(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Sum the values of each full window; shape ``(n_streams, n_rows - size + 1)``."""
    sums = np.cumsum(values, axis=1)
    windows = sums[:, size - 1 :].copy()
    windows[:, 1:] -= sums[:, :-size]
    return windows
