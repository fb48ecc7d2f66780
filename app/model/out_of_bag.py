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

from app.model.forest import SCORE_TOLERANCE
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
        return int(self._counted[-1]), int(self._counted[np.searchsorted(self.scores, score, side="right")])

    def p_values(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of ordinary rows at least as abnormal as each score, in (0, 1], in the shape of the scores.

        Of n out-of-bag scores, k are at most a score: (1 + k) / (1 + n).

        Examples
        --------
        >>> OutOfBagScores(np.array([-0.7, -0.5]), np.array([1, 298])).p_values(np.array([-0.8, -0.7, -0.4]))
        array([0.00333333, 0.00666667, 1.        ])
        """
        # Equal scores count as equally abnormal, also if another processor rounded them.
        up_to = self._counted[np.searchsorted(self.scores, scores + SCORE_TOLERANCE, side="right")]
        p_values: NDArray[np.float64] = (1 + up_to) / (1 + self._counted[-1])
        return p_values

    @cached_property
    def _counted(self) -> NDArray[np.int64]:
        """Number of rows with a score up to each score, after a 0; shape ``(n_scores + 1,)``."""
        return np.concatenate([[0], np.cumsum(self.counts)])


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
