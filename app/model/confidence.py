"""The confidence of labels: how likely a threshold from other training rows gives this score the same label.

The forest is taken as it is. A forest trained on other rows also has other scores, so its label differs more often: the
confidence says neither how stable a label is when the model is trained again nor whether it is right.

A table by score is computed when a bundle is loaded, so that a request needs only a lookup. Bundles of format 1 do not
contain the table, and the service does not install SciPy, so the incomplete beta function is computed here.

References
----------
L. Perini, V. Vercruyssen and J. Davis, "Quantifying the confidence of anomaly detectors in their example-wise
predictions", ECML PKDD 2020.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from math import lgamma
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.model.forest import OUTLIER
from app.model.forest_arrays import MAX_TRAINING_ROWS
from app.server.array_file import ArrayKind, read_arrays

# The spacing of floats near 1: a smaller relative change has no effect.
_PRECISION = float(np.finfo(np.float64).eps)

# Stands in for a zero denominator, as usual in Lentz's method.
_TINY = 1e-300

# The fraction converges within some multiple of the square root of its larger parameter. This is enough for a training
# set of 10 ** 10 rows, and ends a loop that would not converge.
_MAX_STEPS = 1_000_000

# A score may differ in the last bit from an equal training score if another processor trained. Without a tolerance, the
# row would then be on the wrong side of all training rows with that score.
_SCORE_TOLERANCE = 1e-12


_CONFIDENCE_ARRAYS = {
    "unique_scores": ArrayKind(np.float64, 1),
    "counts": ArrayKind(np.int64, 1),
    "n_flagged": ArrayKind(np.int64, 0),
}


def incomplete_beta(a: int, b: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute I_x(a, b), the probability that Binomial(a + b - 1, x) is at least a.

    Parameters
    ----------
    a, b
        At least 1.
    x
        Any shape, in (0, 1).

    Returns
    -------
    Same shape as ``x``, in [0, 1], increasing with ``x``.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 8.17.4 (symmetry), 8.17.22 (continued fraction).
    W. J. Lentz, "Generating Bessel functions in Mie scattering calculations using continued fractions", 1976.

    Examples
    --------
    At least two of three coins show heads.

    >>> incomplete_beta(2, 2, np.array([0.5, 0.9])).round(3)
    array([0.5  , 0.972])
    """
    # The fraction converges fast below the mean only; above it, use symmetry.
    below = x < (a + 1) / (a + b + 2)
    result = np.empty_like(x)
    result[below] = _left_tail(a, b, x[below], 1 - x[below])
    result[~below] = 1 - _left_tail(b, a, 1 - x[~below], x[~below])
    # Rounding may leave the range by the last bit.
    result.clip(0, 1, out=result)
    return result


def _left_tail(a: int, b: int, x: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the function below the mean, where the fraction converges fast; ``rest`` is ``1 - x``."""
    log_beta = lgamma(a) + lgamma(b) - lgamma(a + b)
    factor: NDArray[np.float64] = np.exp(a * np.log(x) + b * np.log(rest) - log_beta) / a
    return factor * _fraction(a, b, x)


def _fraction(a: int, b: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute 1 / (1 + d1 / (1 + d2 / (1 + ...))) by Lentz's method, each ``x`` until its value converges."""
    values = np.ones_like(x)
    # Those that have not converged: their places, values so far, and Lentz's two running ratios.
    places, fraction, upper, lower = np.arange(len(x)), np.ones_like(x), np.ones_like(x), np.zeros_like(x)
    for step in range(1, _MAX_STEPS):
        if not len(places):
            break
        coefficient = _coefficient(a, b, step) * x[places]
        lower = 1 / _not_zero(1 + coefficient * lower)
        upper = _not_zero(1 + coefficient / upper)
        change = upper * lower
        fraction = fraction * change
        moving = np.abs(change - 1) > _PRECISION
        if not moving.all():
            values[places] = fraction
            places, fraction, upper, lower = places[moving], fraction[moving], upper[moving], lower[moving]
    return 1 / values


def _coefficient(a: int, b: int, step: int) -> float:
    """Return d1, d2, ... of the continued fraction, without x."""
    m, odd = divmod(step, 2)
    if odd:
        return -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m))


def _not_zero(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace zero by a tiny number, to divide by it."""
    return np.where(np.abs(ratio) < _TINY, _TINY, ratio)


class LabelConfidence:
    """The confidence of labels, by the score of the row.

    If n of N training scores are at most as abnormal as that of the row, a new row is at most as abnormal with
    probability p = (1 + n) / (2 + N). A training set of N rows flags f of them, so the row would be flagged if at least
    N - f + 1 of them are at most as abnormal. So the confidence of "outlier" is P(Binomial(N, p) > N - f), and that of
    "inlier" is 1 minus that. A label that another training set could easily change has a confidence near 0.5; it is
    below 0.5 if the row scores like flagged rows but is labelled as an inlier.

    Parameters
    ----------
    unique_scores
        The distinct training scores, ascending, shape ``(n_scores,)``: lower is more abnormal.
    counts
        The number of training rows with each score, shape ``(n_scores,)``.
    n_flagged
        The number of training rows that were labelled as outliers.

    Examples
    --------
    A hundred training scores, the ten lowest of which were flagged.

    >>> confidence = LabelConfidence(np.arange(-99, 1) / 100, np.ones(100, int), n_flagged=10)
    >>> confidence.of_rows(np.array([-0.99, -0.9, -0.85, -0.2]), np.array([-1, -1, 1, 1])).round(3)
    array([1.   , 0.477, 0.936, 1.   ])
    >>> round(confidence.of_row(-0.9, -1), 3)
    0.477
    """

    def __init__(self, unique_scores: NDArray[np.float64], counts: NDArray[np.int64], n_flagged: int) -> None:
        n_rows = int(counts.sum())
        # The last entry is for a row with a higher score than every training row.
        n_as_abnormal = n_rows - np.concatenate(([0], np.cumsum(counts)))
        outlier = _flagging_probability((1 + n_as_abnormal) / (2 + n_rows), n_rows, n_flagged)
        self._scores, self._outlier = unique_scores + _SCORE_TOLERANCE, outlier
        # For a single number, bisect on an array of the standard library is several times faster than NumPy.
        self._score_array, self._outlier_array = array("d", self._scores), array("d", outlier)

    def of_row(self, score: float, label: int) -> float:
        """Return the confidence of one label.

        Parameters
        ----------
        score
            The row's anomaly score: lower is more abnormal.
        label
            1 inlier, -1 outlier.

        Returns
        -------
        In [0, 1]: higher is more certain.
        """
        outlier = self._outlier_array[bisect_left(self._score_array, score)]
        return outlier if label == OUTLIER else 1 - outlier

    def of_rows(self, scores: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the confidence of many labels, shape ``(n_rows,)``; otherwise like :meth:`of_row`."""
        outlier = self._outlier[np.searchsorted(self._scores, scores)]
        return np.where(labels == OUTLIER, outlier, 1 - outlier)


def read_confidence(file: BinaryIO) -> LabelConfidence:
    """Compute the table of confidences from the training scores in ``reference.npz``.

    Parameters
    ----------
    file
        The open file.

    Raises
    ------
    ValueError and others of ``read_arrays``
        If it holds no scores, or they cannot be those of a training.
    """
    scores, counts, n_flagged = read_arrays(file, _CONFIDENCE_ARRAYS).values()
    if len(scores) != len(counts) or not len(scores):
        raise ValueError(f"it has {len(scores)} unique_scores and {len(counts)} counts")
    if not (np.diff(scores) > 0).all() or not -1 <= scores[0] <= scores[-1] <= 0:
        raise ValueError("the unique_scores are not ascending in [-1, 0]")
    # As floats, as the sum of integers may overflow.
    n_rows = float(counts.sum(dtype=np.float64))
    if counts.min() < 1 or n_rows > MAX_TRAINING_ROWS or not 0 <= n_flagged <= n_rows:
        raise ValueError(f"it counts {n_rows:g} training rows, {int(n_flagged)} of them flagged")
    return LabelConfidence(scores, counts, int(n_flagged))


def _flagging_probability(p: NDArray[np.float64], n_rows: int, n_flagged: int) -> NDArray[np.float64]:
    """Compute P(Binomial(n_rows, p) > n_rows - n_flagged), same shape as ``p``."""
    if n_flagged == 0:
        # No row would be flagged.
        return np.zeros_like(p)
    if n_flagged > n_rows:
        raise ValueError(f"{n_flagged} of {n_rows} rows cannot have been flagged; pass at most as many as there are.")
    # The tail of a binomial distribution is an incomplete beta function (DLMF 8.17.5).
    return incomplete_beta(n_rows - n_flagged + 1, n_flagged, p)
