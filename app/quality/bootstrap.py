"""The Bayesian bootstrap: labelled rows are resampled by giving each a random weight.

The usual bootstrap draws whole rows with replacement: from a few misses it gets small integers only, and from no miss
only zero. Random weights have no such steps, and one additional row, the worst or the best possible one, stands for
what was not seen. So the intervals hold even for few rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# (draws + 1) x 0.025 is an integer: so an end of the interval is one of the draws, without interpolation.
N_DRAWS_OF_COUNTS = 3999

# A ranking has a thousand times as many weights as the counts, and must be computed within milliseconds.
N_DRAWS_OF_RANKINGS = 399

# The share beyond either end of a 95 % interval.
TAIL_SHARE = 0.025


def draw_weights(
    weights: NDArray[np.float64], squares: NDArray[np.float64], n_draws: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the total weights of groups of rows, each row's weight multiplied by an exponential variable.

    Divided by their sum, these weights are a draw of the Bayesian bootstrap.

    Parameters
    ----------
    weights, squares
        Shape (n,): the sum of the weights of each group's rows, above 0, and the sum of their squares. If the weights
        in a group are equal, the distribution of the draws is exact; otherwise, its mean and variance are.
    n_draws
        At least 1.
    generator
        The source of the random numbers.

    Returns
    -------
    Shape (n, n_draws), above 0, with the mean ``weights``.

    References
    ----------
    D. B. Rubin, "The Bayesian bootstrap", 1981.
    N. Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable",
    2005 (the additional row).
    """
    shapes = weights**2 / squares
    draws: NDArray[np.float64] = generator.standard_gamma(shapes[:, np.newaxis], size=(len(weights), n_draws))
    draws *= (squares / weights)[:, np.newaxis]
    return draws


def interval(pessimistic: NDArray[np.float64], optimistic: NDArray[np.float64], value: float) -> tuple[float, float]:
    """Compute a 95 % interval from draws of a figure.

    Parameters
    ----------
    pessimistic, optimistic
        Shape (n_draws,): draws with the worst, and with the best row added. A single number is used as the end.
    value
        The figure, which the interval always contains.
    """
    low = float(np.quantile(pessimistic, TAIL_SHARE, method="weibull"))
    high = float(np.quantile(optimistic, 1 - TAIL_SHARE, method="weibull"))
    return min(low, value), max(high, value)
