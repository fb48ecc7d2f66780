"""Find the threshold that a contamination means for all rows of a table, of which only a sample was trained on.

It is the quantile of all rows' scores. The first pass over the table counts the scores in narrow bins, which shows in
which of them the quantile lies; the second pass collects the different scores there. So memory does not grow with the
table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.model.forest import SCORE_TOLERANCE, to_scores
from app.model.threshold_choice import TrainingScores
from training.data.block_hashes import count_rows
from training.data.block_rows import read_rows
from training.data.dataset import Dataset
from training.data.folders import read_blocks_of_tables
from training.data.source import Dialect
from training.data.tables import CsvFile
from training.data.threads import Threads
from training.errors import BadArgument, BadData
from training.fitting.compile import compile_forest

if TYPE_CHECKING:
    from sklearn.ensemble import IsolationForest

# Of the scores, which lie in [-1, 0]. Of a billion rows, some hundred thousand are in the fullest bin.
_BINS = 2**16

# So many parts are joined at a time.
_PARTS = 64


@dataclass(frozen=True)
class ExactThreshold:
    """A threshold that was found from all rows.

    Parameters
    ----------
    score
        Rows with a lower one are outliers; in [-1, 0].
    n_rows, n_flagged
        All rows, and the outliers among them.
    sums
        The path-length sums of rows near the threshold, ascending, shape ``(n_sums,)``.
    """

    score: float
    n_rows: int
    n_flagged: int
    sums: NDArray[np.float64]


def find_exact_threshold(
    estimator: IsolationForest,
    training: Dataset,
    dialect: Dialect,
    on_rows: Callable[[int], None] = lambda n_rows: None,
) -> ExactThreshold:
    """Find the threshold from all rows, and make it the estimator's ``offset_``.

    Parameters
    ----------
    estimator
        The fitted estimator, with a number as its contamination.
    training
        The rows that were drawn, with their origins.
    dialect
        How the files are written, as far as it is known.
    on_rows
        Called regularly with the number of rows that were scored, each of them twice.

    Returns
    -------
    ``score`` equals ``np.percentile`` of all rows' scores to the last bit.

    Raises
    ------
    BadArgument
        If the table is a pipe.
    BadData
        If a row cannot be scored, or the table is not the one that was read before.
    """
    forest = compile_forest(estimator, encoding=training.encoding)
    assert training.origins is not None, "only of a sample"
    if any(isinstance(path, Path) and not path.is_file() for path in training.origins.paths):
        raise BadArgument(
            f"--exact-threshold reads {training.path} three times, which only a file allows; write it to one."
        )
    origins, features, scale = training.origins, training.features, float(forest.arrays.path_length_scale)
    n_scored = 0

    def sum_block(block: tuple[int, CsvFile]) -> NDArray[np.float64]:
        if not count_rows(block[1]):
            return np.empty(0)
        return forest.sum_path_lengths(read_rows(block[1], features, as_written=False)[0])

    def sums_of_all_rows() -> Iterator[NDArray[np.float64]]:
        nonlocal n_scored
        with Threads() as threads, closing(read_blocks_of_tables(origins.paths, dialect)) as blocks:
            for sums in threads.map(sum_block, blocks):
                yield sums
                on_rows(n_scored := n_scored + len(sums))

    counts = np.zeros(_BINS + 1, np.int64)
    for sums in sums_of_all_rows():
        counts += np.bincount(_to_bins(to_scores(sums, scale)), minlength=len(counts))
    n_rows = int(counts.sum())
    rank = int((n_rows - 1) * estimator.contamination)
    # One more on each side, as the rank is rounded in another way when the quantile is computed.
    ranks = np.clip([rank - 1, rank + 2], 0, n_rows - 1)
    first, last = np.searchsorted(np.cumsum(counts), ranks, side="right")
    low, high = first / _BINS - 1 - SCORE_TOLERANCE, (last + 1) / _BINS - 1 + SCORE_TOLERANCE

    n_below, parts = 0, [(np.empty(0), np.empty(0, np.int64))]
    for sums in sums_of_all_rows():
        scores = to_scores(sums, scale)
        n_below += int((scores < low).sum())
        parts.append(np.unique(sums[(scores >= low) & (scores <= high)], return_counts=True))
        if len(parts) > _PARTS:
            parts = [_join(parts)]
    near, of_each = _join(parts)
    if 2 * n_rows != n_scored or n_rows != origins.n_rows:
        raise BadData(f"{training.path} changed while it was read; train again when nobody writes to it.")
    scores = to_scores(near, scale)
    order = np.argsort(scores, kind="stable")
    every = TrainingScores(
        np.concatenate([[-np.inf], scores[order], [np.inf]]),
        np.concatenate([[n_below], of_each[order], [n_rows - n_below - of_each.sum()]]),
    )
    threshold = every.find_threshold(estimator.contamination)
    estimator.offset_ = threshold
    return ExactThreshold(threshold, n_rows, every.count_flagged(threshold), near)


def _to_bins(scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bin of each score, same shape: a higher score is never in a lower bin."""
    return ((scores + 1) * _BINS).astype(np.int64)


def _join(
    parts: list[tuple[NDArray[np.float64], NDArray[np.int64]]],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the distinct values of all parts, ascending, and how often each occurs."""
    values, counts = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    distinct, places = np.unique(values, return_inverse=True)
    return distinct, np.bincount(places, counts, len(distinct)).astype(np.int64)
