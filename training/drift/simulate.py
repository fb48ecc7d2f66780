"""Simulate streams without drift, and what each drift detector computes from them.

When a window slides, a sum over its pairs changes only by the pairs of the row that enters and of the row that leaves:
each pair of rows that are ever in one window is compared once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import ceil, exp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.drift.calibration import CVM, MMD
from app.drift.cvm import RankReference, Whole
from app.drift.mmd import Encode, KernelReference, extend, table_of
from app.drift.thresholds import settling_rows
from app.drift.windows import GOLDEN_RATIO, JITTER, round_to_single

# Simulated first signals of each detector. The standard error of the run time is 1 / sqrt(2000) = 2 %; for wide tables
# and long run times, which get fewer, at most 4 %.
_MAX_SIGNALS, _MIN_SIGNALS = 2000, 500

# Streams are simulated in excess, in case there are fewer signals than expected.
_RESERVE = 1.1

# Comparisons of two rows in one column, of which a core makes so many in about half a minute; and rows of all streams
# together, whose statistics fit into an ordinary machine's memory several times.
_MAX_COMPARISONS, MAX_ROWS = 12e9, 30_000_000

# A stream continues for so many windows after the settling rows: most of its rows count, and there are many streams.
_WINDOWS_AT_RISK = 10

# Streams are simulated in batches that fit into a processor's cache.
_STREAMS_AT_ONCE = 64

# Picking rows costs about ten times as much as passing over all of them.
_RARELY = 0.1

# Each column's distances are divided by this quantile of windows without drift; calibration compensates for its error.
_SCALE_QUANTILE, _WINDOWS_FOR_SCALES = 0.999, 200_000


@dataclass(frozen=True)
class ScoredRows:
    """Rows with their scores and predicted labels.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``.
    scores
        Shape ``(n_rows,)``: the lower, the more abnormal.
    labels
        Shape ``(n_rows,)``: 1 inlier, -1 outlier.
    """

    rows: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: NDArray[np.int64]) -> ScoredRows:
        """Return the chosen rows, in this order."""
        return ScoredRows(self.rows[chosen], self.scores[chosen], self.labels[chosen])


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
    run_time
        Wanted expected run time, in rows; it determines the length and the number of the streams.
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
        run_time: int,
        generator: np.random.Generator,
        encode: Encode | None = None,
    ) -> None:
        reference_rows, rows = round_to_single(reference.rows), round_to_single(others.rows)
        self._kernel = KernelReference(reference_rows, bandwidth, encode)
        self._ranks = RankReference(np.column_stack([reference_rows, round_to_single(reference.scores)]))
        self._points = self._kernel.place(rows)
        self._similarities = self._kernel.mean_similarity(self._points)
        self._places = self._ranks.place(np.column_stack([rows, round_to_single(others.scores)]))
        self._window = window
        n_streams, self._n_windows = _plan_streams(window, run_time, self._ranks.n_columns)
        drawn = generator.integers(0, len(others), (n_streams, window - 1 + self._n_windows), dtype=np.int32)
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
        return simulate_rank_distances(self._ranks, self._places[part, column], column, self._window)

    def _find_scale(self, column: int) -> float:
        """Find the distance that one window without drift in a thousand exceeds."""
        enough = self._parts[: ceil(_WINDOWS_FOR_SCALES / (_STREAMS_AT_ONCE * self._n_windows))]
        distances = np.concatenate([self._compute_distances(part, column) for part in enough])
        # The minimum is the distance of a window of which one row differs from a value that all reference rows share.
        return max(float(np.quantile(distances, _SCALE_QUANTILE)), 1 / (4 * self._window**2))


def _plan_streams(window: int, run_time: int, n_columns: int) -> tuple[int, int]:
    """Return how many streams are needed, and for how many full windows each."""
    settling, at_risk = settling_rows(window), min(_WINDOWS_AT_RISK * window, run_time)
    signals_per_stream = exp(-settling / run_time) * (1 - exp(-at_risk / run_time))
    # The similarity of whole rows costs about as much as two more columns of ranks.
    comparisons_per_stream = (window + settling + at_risk) * window * (n_columns + 2)
    affordable_streams = min(_MAX_COMPARISONS / comparisons_per_stream, MAX_ROWS / (settling + at_risk))
    affordable = affordable_streams * signals_per_stream / _RESERVE
    n_signals = min(_MAX_SIGNALS, max(_MIN_SIGNALS, affordable))
    return ceil(_RESERVE * n_signals / signals_per_stream), settling + at_risk


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
    # Each block of rows with those up to a window before it: a product of matrices yields all exponents at once.
    table, extended = table_of(points), extend(points)
    with_earlier, with_later = np.zeros((2, *mean_similarities.shape))
    n_rows, step = points.shape[1], max(1, size // 4)
    for start in range(0, n_rows, step):
        end, first = min(start + step, n_rows), max(0, start - size + 1)
        similarities = table[:, start:end] @ extended[:, first:end].transpose(0, 2, 1)
        np.exp(similarities, out=similarities)
        lags = np.arange(start, end)[:, None] - np.arange(first, end)
        similarities *= (lags > 0) & (lags < size)
        with_earlier[:, start:end] = similarities.sum(axis=2)
        with_later[:, first:end] += similarities.sum(axis=1)
    pairs = _sum_pairs(with_earlier, with_later, size)
    with_reference = _sum_window(mean_similarities, size)
    distances: NDArray[np.float64] = (size + 2 * pairs) / size**2 - 2 / size * with_reference
    return distances + reference.own_similarity


def simulate_rank_distances(reference: RankReference, places: Whole, column: int, size: int) -> NDArray[np.float64]:
    """Compute the statistic of :class:`app.drift.cvm.RankWindow` for one column after each full window.

    Parameters
    ----------
    reference
        Reference rows.
    places
        Ranks of the column's values in the reference, shape ``(n_streams, n_rows)``.
    column
        Number of the column.
    size
        Rows in the window.

    Returns
    -------
    Shape ``(n_streams, n_rows - size + 1)``.
    """
    table = reference.table
    # An overlap is at most four times the number of reference rows; numbers of half the size are added twice as fast.
    small = np.int32 if 4 * reference.n_rows * size <= np.iinfo(np.int32).max else np.int64
    above, ties = (table[row].astype(small).take(places) for row in (0, 1))
    names, tied = (places - places.min()).astype(np.int32), np.array(np.nonzero(ties))
    is_rarely_tied = tied.shape[1] < _RARELY * ties.size
    with_earlier, with_later = np.zeros((2, *places.shape), small)
    for lag in range(1, size):
        overlaps = np.minimum(above[:, lag:], above[:, :-lag])
        if is_rarely_tied:
            stream, row = tied[:, tied[1] < places.shape[1] - lag]
            overlaps[stream, row] -= ties[stream, row] * (names[stream, row + lag] == names[stream, row])
        else:
            overlaps -= ties[:, lag:] * (names[:, lag:] == names[:, :-lag])
        with_earlier[:, lag:] += overlaps
        with_later[:, :-lag] += overlaps
    pairs = _sum_pairs(with_earlier, with_later, size)
    with_itself = _sum_window((table[0] - table[1]).take(places), size)
    with_reference = _sum_window(table[2].take(places), size)
    n_rows, own = reference.n_rows, reference.own_overlaps[column]
    sums = n_rows**2 * (with_itself + 2 * pairs) - 2 * size * n_rows * with_reference + size**2 * own
    distances: NDArray[np.float64] = sums * (1 / (4 * n_rows**3 * size**2))
    return distances


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
