"""Features on one scale, so that a distance between rows means something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The spread is that of the middle half; where half of the rows or more are equal, of the middle part that is wide
# enough to have one.
_QUANTILE_PAIRS = ((0.25, 0.75), (0.1, 0.9), (0.05, 0.95), (0.01, 0.99), (0.0, 1.0))


@dataclass(frozen=True)
class RobustScaling:
    """Centre and spread of each feature, by quantiles, so that a few wild rows do not decide the scale.

    Parameters
    ----------
    centre, spread
        Shape ``(n_features,)``; the spread is positive.

    Examples
    --------
    >>> scaling = RobustScaling.of(np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0], [4.0, 7.0], [1e9, 7.0]]))
    >>> scaling.centre, scaling.spread
    (array([3., 7.]), array([2., 1.]))
    >>> scaling.apply(np.array([[3.0, 8.0], [1e9, 7.0]])).round(2)
    array([[ 0.  ,  0.88],
           [20.72,  0.  ]])
    """

    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> RobustScaling:
        """Measure rows, shape ``(n_rows, n_features)``; a feature that never varies gets the spread 1."""
        spread = np.zeros(rows.shape[1])
        for low, high in _QUANTILE_PAIRS:
            bottom, top = np.quantile(rows, (low, high), axis=0)
            spread = np.where(spread > 0, spread, top - bottom)
        return cls(np.median(rows, axis=0), np.where(spread > 0, spread, 1.0))

    def apply(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale rows, shape ``(n_rows, n_features)``: linear near the centre, logarithmic far from it."""
        scaled: NDArray[np.float64] = np.arcsinh((rows - self.centre) / self.spread)
        return scaled
