"""How sure the label of a row is: whether other training rows would have given it the same one.

The service looks a row's score up in a table that is made when a bundle is loaded, so that nothing is computed for a
request.

References
----------
L. Perini, V. Vercruyssen and J. Davis, "Quantifying the confidence of anomaly detectors in their example-wise
predictions", ECML PKDD 2020.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from app.model.forest import OUTLIER
from app.model.incomplete_beta import incomplete_beta

# A score may differ by a last bit from the training score that it equals, where another processor trained; without
# this, a row would fall on the wrong side of all training rows that it is like.
_SCORE_TOLERANCE = 1e-12


class LabelConfidence:
    """The confidence of each label that a forest can give, by the score of the row.

    With N training scores, n of them at most as abnormal as the row's, a new row is at most as abnormal as it with
    probability p = (1 + n) / (2 + N). A training set flags f of its rows, so the row would be flagged if at least
    N - f + 1 of N such rows are at most as abnormal: the confidence of "outlier" is P(Binomial(N, p) > N - f), that of
    "inlier" the rest. A label that other training rows might well have turned has a confidence near 0.5; it is below
    0.5 where the row scores like flagged rows and is labelled otherwise.

    Parameters
    ----------
    unique_scores
        The different training scores, ascending, shape ``(n_scores,)``: the lower, the more abnormal.
    counts
        How many training rows have each, shape ``(n_scores,)``.
    n_flagged
        How many training rows were labelled outliers.

    Examples
    --------
    A hundred training scores, of which the ten lowest were flagged.

    >>> confidence = LabelConfidence(np.arange(-99, 1) / 100, np.ones(100, int), n_flagged=10)
    >>> confidence.of_rows(np.array([-0.99, -0.9, -0.85, -0.2]), np.array([-1, -1, 1, 1])).round(3)
    array([1.   , 0.477, 0.936, 1.   ])
    >>> round(confidence.of_row(-0.9, -1), 3)
    0.477
    """

    def __init__(self, unique_scores: NDArray[np.float64], counts: NDArray[np.int64], n_flagged: int) -> None:
        n_rows = int(counts.sum())
        # The last entry is for a row that scores better than every training row.
        n_as_abnormal = n_rows - np.concatenate(([0], np.cumsum(counts)))
        outlier = _flagging_probability((1 + n_as_abnormal) / (2 + n_rows), n_rows, n_flagged)
        self._scores, self._outlier = unique_scores + _SCORE_TOLERANCE, outlier
        # The standard library's search is several times faster than NumPy's for a single number, if it need not make
        # a NumPy number of each that it looks at.
        self._score_array, self._outlier_array = array("d", self._scores), array("d", outlier)

    def of_row(self, score: float, label: int) -> float:
        """Give the confidence of one label.

        Parameters
        ----------
        score
            The row's anomaly score: the lower, the more abnormal.
        label
            1 inlier, -1 outlier.

        Returns
        -------
        In [0, 1]: the higher, the surer.
        """
        outlier = self._outlier_array[bisect_left(self._score_array, score)]
        return outlier if label == OUTLIER else 1 - outlier

    def of_rows(self, scores: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
        """Give the confidence of many labels; shapes ``(n_rows,)``, otherwise like :meth:`of_row`."""
        outlier = self._outlier[np.searchsorted(self._scores, scores)]
        return np.where(labels == OUTLIER, outlier, 1 - outlier)


def _flagging_probability(p: NDArray[np.float64], n_rows: int, n_flagged: int) -> NDArray[np.float64]:
    """P(Binomial(n_rows, p) > n_rows - n_flagged), shape as ``p``."""
    if n_flagged == 0:
        # No row can be among the none most abnormal ones.
        return np.zeros_like(p)
    if n_flagged > n_rows:
        raise ValueError(f"{n_flagged} of {n_rows} rows cannot have been flagged; pass at most as many as there are.")
    # The tail of a binomial distribution is an incomplete beta function (DLMF 8.17.5).
    return incomplete_beta(n_rows - n_flagged + 1, n_flagged, p)
