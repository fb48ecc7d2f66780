"""The Bayesian bootstrap: labelled rows are drawn anew by giving each a random share of the whole.

The usual bootstrap draws whole rows with replacement: of a few misses it can only make whole numbers, and of no miss
only none. A random weight has no such steps, and one more row, the worst or the best that could have been, stands for
what was not seen. So the ends of intervals hold where few rows are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# With an end of an interval at 2.5 %, (draws + 1) x 0.025 is whole: the end is a draw, with nothing to interpolate.
N_DRAWS_OF_COUNTS = 3999

# A ranking has a thousand times as many weights as the counts have, and a figure of it is wanted within milliseconds.
N_DRAWS_OF_RANKINGS = 399

# Of a 95 % interval on either side.
BEYOND = 0.025


def draw_weights(
    weights: NDArray[np.float64], squares: NDArray[np.float64], n_draws: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Draw what groups of rows weigh together when each row's weight is multiplied by an exponential variable.

    Divided by their sum, such weights are a draw of the Bayesian bootstrap.

    Parameters
    ----------
    weights, squares
        Shape (n,): the sum of the weights of each group's rows, above 0, and the sum of their squares. Where the rows
        of a group weigh the same, a draw is exact; where they differ, its mean and variance are.
    n_draws
        At least 1.
    generator
        Makes the draws.

    Returns
    -------
    Shape (n, n_draws), above 0, with the mean ``weights``.

    References
    ----------
    D. B. Rubin, "The Bayesian bootstrap", 1981.
    N. Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a nonnegative variable",
    2005 (the one more row).
    """
    shapes = weights**2 / squares
    draws: NDArray[np.float64] = generator.standard_gamma(shapes[:, np.newaxis], size=(len(weights), n_draws))
    draws *= (squares / weights)[:, np.newaxis]
    return draws


def ends(pessimistic: NDArray[np.float64], optimistic: NDArray[np.float64], value: float) -> tuple[float, float]:
    """Take the ends of a 95 % interval from draws of a figure.

    Parameters
    ----------
    pessimistic, optimistic
        Shape (n_draws,): draws with the worst, and with the best row added. A single number is the end itself.
    value
        The figure, which the interval always holds.
    """
    low = float(np.quantile(pessimistic, BEYOND, method="weibull"))
    high = float(np.quantile(optimistic, 1 - BEYOND, method="weibull"))
    return min(low, value), max(high, value)
