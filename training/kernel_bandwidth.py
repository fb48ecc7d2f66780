"""The bandwidth of the similarity of rows, by the median heuristic."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.drift.scaling import RobustScaling


def find_bandwidth(rows: NDArray[np.float64]) -> float:
    """Give the median distance of two rows that differ, after scaling; 1 if all are equal.

    Where many rows are equal, the median over all pairs would be near 0 or 0, and any two different rows would count
    as not similar at all.

    Parameters
    ----------
    rows
        Shape ``(n_rows, n_features)``.

    References
    ----------
    A. Gretton et al., "A kernel two-sample test", Journal of Machine Learning Research 13, 2012, section 8.

    Examples
    --------
    >>> round(find_bandwidth(np.array([[0.0], [0.0], [0.0], [0.0], [3.0]])), 3)
    1.284
    >>> find_bandwidth(np.zeros((5, 2)))
    1.0
    """
    points = RobustScaling.of(rows).apply(rows)
    # Differences, not products of rows: rounding would make distances above 0 of equal rows.
    squares = np.concatenate([((points[i + 1 :] - point) ** 2).sum(axis=1) for i, point in enumerate(points)])
    above_zero = squares[squares > 0]
    return float(np.sqrt(np.median(above_zero))) if len(above_zero) else 1.0
