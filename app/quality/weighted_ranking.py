"""How well scores rank outliers before inliers where each row stands for a number of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def roc_auc(outliers: NDArray[np.float64], inliers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the chance that a random outlier is ranked before a random inlier; a tie counts half.

    Parameters
    ----------
    outliers, inliers
        Shape (n, ...): the weight of either class at each rank, the most abnormal score first. Equal scores share a
        rank. Both classes have some weight.

    Returns
    -------
    Shape (...), in [0, 1], the higher the better.

    References
    ----------
    J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
    curve", 1982.

    Examples
    --------
    The second rank holds one of each.

    >>> float(roc_auc(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0])))
    0.875
    """
    inliers_so_far = inliers.cumsum(axis=0)
    n_inliers = inliers_so_far[-1]
    # Half of the rank's own inliers are before it, half behind.
    behind = n_inliers - inliers_so_far
    behind += inliers / 2
    behind *= outliers
    auc: NDArray[np.float64] = behind.sum(axis=0) / (outliers.sum(axis=0) * n_inliers)
    # Rounding may lead out of the range by a last bit.
    return auc.clip(max=1)


def average_precision(outliers: NDArray[np.float64], inliers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the mean, over all outliers, of the precision that an alarm line at their score would have.

    Parameters
    ----------
    outliers, inliers
        As for :func:`roc_auc`.

    Returns
    -------
    Shape (...), in [0, 1], the higher the better; a random ranking has the share of outliers.

    References
    ----------
    C. D. Manning, P. Raghavan and H. Schütze, "Introduction to Information Retrieval", 2008, section 8.4.

    Examples
    --------
    >>> round(float(average_precision(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 1.0]))), 4)
    0.8333
    """
    outliers_so_far = outliers.cumsum(axis=0)
    total = outliers_so_far[-1].copy()
    flagged = inliers.cumsum(axis=0)
    flagged += outliers_so_far
    # Before the first row there is no precision, and no outlier that would need it.
    np.divide(outliers_so_far, flagged, out=outliers_so_far, where=flagged > 0)
    outliers_so_far *= outliers
    result: NDArray[np.float64] = outliers_so_far.sum(axis=0) / total
    return result.clip(max=1)
