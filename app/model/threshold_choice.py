"""Finds the threshold that a person means: a share of the training rows, or a p-value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidChoice
from app.model.out_of_bag import OutOfBagScores
from app.server.array_file import MAX_BYTES, ArrayKind, read_arrays
from app.server.regular_file import open_regular

_ARRAYS = {"unique_scores": ArrayKind(np.float64, 1), "counts": ArrayKind(np.int64, 1)}

# As scikit-learn: with more, outliers would not be the smaller part.
_MAX_CONTAMINATION = 0.5


@dataclass(frozen=True)
class TrainingScores:
    """The distribution of the training rows' scores.

    Parameters
    ----------
    scores
        Distinct scores, ascending, shape ``(n_scores,)``, in [-1, 0]: lower is more abnormal.
    counts
        Number of training rows with each, same shape.
    """

    scores: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def read(cls, reference_file: Path) -> TrainingScores:
        """Read the scores in ``reference.npz`` of a verified bundle."""
        with open_regular(reference_file, MAX_BYTES) as opened:
            arrays = read_arrays(opened, _ARRAYS)
        return cls(arrays["unique_scores"], arrays["counts"])

    @property
    def n_rows(self) -> int:
        """Number of training rows."""
        return int(self.counts.sum())

    def count_flagged(self, threshold: float) -> int:
        """Count the rows whose score is below a threshold."""
        return int(self.counts[self.scores < threshold].sum())

    def find_threshold(self, contamination: float) -> float:
        """Return the score that scikit-learn's ``contamination`` means: a percentile of the training scores.

        Parameters
        ----------
        contamination
            Share of the training rows to flag, above 0 and up to 0.5.

        Raises
        ------
        InvalidChoice
            If it is out of range.

        Examples
        --------
        >>> TrainingScores(np.array([-0.8, -0.6, -0.4]), np.array([1, 9, 90])).find_threshold(0.01)
        -0.602
        """
        if not 0 < contamination <= _MAX_CONTAMINATION:
            raise InvalidChoice(
                f"The contamination {contamination:g} is out of range; use a share above 0 and up to 0.5."
            )
        # np.percentile of all scores with the same arithmetic, without a copy of each score for each row.
        place = (self.n_rows - 1) * (100.0 * contamination / 100)
        ends = np.cumsum(self.counts)
        lower, upper = (
            float(self.scores[np.searchsorted(ends, min(rank, self.n_rows - 1), side="right")])
            for rank in (int(place), int(place) + 1)
        )
        part = place - int(place)
        step = upper - lower
        return upper - step * (1 - part) if part >= 0.5 else lower + step * part


def find_threshold_of_p_value(out_of_bag: OutOfBagScores | None, p_value: float) -> float:
    """Return the threshold that flags the rows whose p-value is at most ``p_value``.

    The p-value of a score is the share of training rows that are as abnormal, by their out-of-bag scores, counting the
    row itself: ``(1 + as abnormal) / (1 + n)``.

    Parameters
    ----------
    out_of_bag
        The out-of-bag scores; None if the bundle has none.
    p_value
        Wanted share of false alarms among rows like those of training, below 1.

    Raises
    ------
    InvalidChoice
        If there are no out-of-bag scores, or too few for so small a p-value.

    Examples
    --------
    >>> scores = OutOfBagScores(np.arange(-999, 0) / 1000, np.ones(999, int))
    >>> find_threshold_of_p_value(scores, 0.003)
    -0.997
    """
    if out_of_bag is None:
        raise InvalidChoice(
            "This version has no out-of-bag scores, which p-values need: choose the threshold by contamination or "
            "score, or train on 512 rows or more."
        )
    ends = np.cumsum(out_of_bag.counts)
    n_rows = int(ends[-1])
    # The rounding of the product must not refuse the smallest p-value as it is printed.
    n_as_abnormal = int(np.floor(p_value * (n_rows + 1) * (1 + 1e-9))) - 1
    if n_as_abnormal < 0 or p_value >= 1:
        raise InvalidChoice(
            f"The p-value {p_value:g} is not possible with {n_rows:,} out-of-bag scores; use {1 / (n_rows + 1):.6g} or "
            "more, and less than 1."
        )
    place = int(np.searchsorted(ends, n_as_abnormal, side="right"))
    return float(out_of_bag.scores[place]) if place < len(ends) else 0.0


def p_value_of(out_of_bag: OutOfBagScores | None, threshold: float) -> float | None:
    """Return the largest p-value of a row that a threshold flags; None without out-of-bag scores.

    Examples
    --------
    >>> p_value_of(OutOfBagScores(np.arange(-999, 0) / 1000, np.ones(999, int)), -0.997)
    0.003
    """
    if out_of_bag is None:
        return None
    n_rows, n_below = out_of_bag.count_up_to(np.nextafter(threshold, -np.inf))
    return (1 + n_below) / (1 + n_rows)
