"""Out-of-bag scores: the score of each training row from the trees that did not see it.

Trees know the rows that they were grown from, so a new row's score is comparable with these scores, and not with those
that the whole forest gives its training rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.model.forest_arrays import MAX_TRAINING_ROWS
from app.server.array_file import ArrayKind, read_arrays

# With fewer, a p-value could not be below one in two hundred.
MIN_ROWS = 200

# More are summarised, so that a bundle of millions of rows is not larger: 320 KB.
MAX_SCORES = 20_000

SCORES, COUNTS = "out_of_bag_scores", "out_of_bag_counts"

_ARRAYS = {SCORES: ArrayKind(np.float64, 1), COUNTS: ArrayKind(np.int64, 1)}


@dataclass(frozen=True)
class OutOfBagScores:
    """The distribution of the out-of-bag scores.

    Parameters
    ----------
    scores
        Distinct scores, ascending, shape ``(n_scores,)``, in [-1, 0]: lower is more abnormal.
    counts
        Number of training rows with each score, shape ``(n_scores,)``. Where scores were summarised, the rows up to
        the next score have been counted with this one: counts of rows up to a score are never too small.
    """

    scores: NDArray[np.float64]
    counts: NDArray[np.int64]

    def check(self) -> None:
        """Check that they can be those of a training.

        Raises
        ------
        ValueError
            If they cannot.
        """
        scores, counts = self.scores, self.counts
        if not len(scores) == len(counts) or not 1 <= len(scores) <= MAX_SCORES:
            raise ValueError(f"it has {len(scores)} {SCORES} and {len(counts)} {COUNTS}")
        if not (np.diff(scores) > 0).all() or not -1 <= scores[0] <= scores[-1] <= 0:
            raise ValueError(f"the {SCORES} are not ascending in [-1, 0]")
        # As floats, as the sum of integers may overflow.
        n_rows = float(counts.sum(dtype=np.float64))
        if counts.min() < 1 or not MIN_ROWS <= n_rows <= MAX_TRAINING_ROWS:
            raise ValueError(f"the {COUNTS} count {n_rows:g} rows, at least {MIN_ROWS} are needed")

    def count_up_to(self, score: float) -> tuple[int, int]:
        """Return the number of all rows, and of those with a score up to ``score``.

        Examples
        --------
        >>> OutOfBagScores(np.array([-0.7, -0.5]), np.array([2, 300])).count_up_to(-0.6)
        (302, 2)
        """
        counted = self._cumulative_counts
        position = int(np.searchsorted(self.scores, score, side="right"))
        return int(counted[-1]), int(counted[position - 1]) if position else 0

    @cached_property
    def _cumulative_counts(self) -> NDArray[np.int64]:
        """Number of rows with a score up to each score, shape ``(n_scores,)``."""
        return np.cumsum(self.counts)


def read_out_of_bag_scores(file: BinaryIO) -> OutOfBagScores:
    """Read and check the out-of-bag scores in ``reference.npz``.

    Raises
    ------
    ValueError and others of ``read_arrays``
        If they are missing, or cannot be those of a training.
    """
    arrays = read_arrays(file, _ARRAYS)
    read = OutOfBagScores(arrays[SCORES], arrays[COUNTS])
    read.check()
    return read
