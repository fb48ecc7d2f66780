"""Precision, recall and F1 from numbers of outliers, for estimates, for draws of them and for comparisons of models."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Recall and F1 weigh outliers against inliers, and mean little while one of the classes has hardly any labels.
MIN_LABELS_PER_CLASS: Final = 20


def precision(caught: NDArray[np.float64], flagged: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the share of flagged rows that are outliers; 0 if no row is flagged.

    Parameters
    ----------
    caught, flagged
        Number of outliers among the flagged rows, and of all flagged rows; same shape.

    Returns
    -------
    In [0, 1], same shape: higher is better.
    """
    share: NDArray[np.float64] = np.divide(caught, flagged, out=np.zeros_like(caught), where=flagged > 0)
    return share


def recall(caught: NDArray[np.float64], missed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the share of outliers that are flagged; 1 if none is missed.

    Parameters
    ----------
    caught, missed
        Number of outliers among the flagged rows, and among the others; same shape.

    Returns
    -------
    In [0, 1], same shape: higher is better.
    """
    share: NDArray[np.float64] = np.divide(caught, caught + missed, out=np.ones_like(caught), where=missed > 0)
    return share


def f1_score(
    caught: NDArray[np.float64], missed: NDArray[np.float64], flagged: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Compute the harmonic mean of precision and recall.

    Parameters
    ----------
    caught, missed, flagged
        As in :func:`precision` and :func:`recall`; not all of them 0.

    Returns
    -------
    In [0, 1], same shape: higher is better.

    Examples
    --------
    Half of the flagged rows are outliers, and half of the outliers are flagged.

    >>> f1_score(np.array([10.0]), np.array([10.0]), 20)
    array([0.5])
    """
    score: NDArray[np.float64] = 2 * caught / (flagged + caught + missed)
    return score
