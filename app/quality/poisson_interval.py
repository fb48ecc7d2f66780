"""An interval for a number of rare cases of which a sample was counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.quality.incomplete_gamma import gamma_quantile


def poisson_interval(weights: NDArray[np.float64], heaviest: float, confidence: float = 0.95) -> tuple[float, float]:
    """Bound how many cases there are, from those found, each standing for ``weight`` of them.

    Where all weights are equal, this is the exact interval of Garwood. Where they differ it is the gamma interval of
    Fay and Feuer, which held its confidence in all their simulations: the upper end counts one more case of the
    heaviest weight that a case could have had, since the next one might be such.

    Parameters
    ----------
    weights
        Shape (k,), above 0, one for each case that was found; k may be 0.
    heaviest
        The largest weight of any row that was looked at, case or not.
    confidence
        In (0, 1).

    Returns
    -------
    The ends, at least 0. The sum of the weights lies between them.

    References
    ----------
    F. Garwood, "Fiducial limits for the Poisson distribution", 1936.
    M. P. Fay and E. J. Feuer, "Confidence intervals for directly standardized rates: a method based on the gamma
    distribution", 1997.

    Examples
    --------
    Nothing was found: there are at most 3.7 of what was looked for, with the usual 2.5 % beyond.

    >>> [round(end, 2) for end in poisson_interval(np.array([]), heaviest=1.0)]
    [0.0, 3.69]
    >>> [round(end, 2) for end in poisson_interval(np.full(5, 1000.0), heaviest=1000.0)]
    [1623.49, 11668.33]
    """
    beyond = (1 - confidence) / 2
    total, squares = float(weights.sum()), float((weights**2).sum())
    low = squares / total * gamma_quantile(total**2 / squares, beyond) if total > 0 else 0.0
    total, squares = total + heaviest, squares + heaviest**2
    return low, squares / total * gamma_quantile(total**2 / squares, 1 - beyond)
