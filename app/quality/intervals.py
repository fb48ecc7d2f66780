"""Confidence intervals for a share and for a number of rare cases, without SciPy, which the service does not install.

The latter needs quantiles of the gamma distribution, which are computed here.
"""

from __future__ import annotations

from math import exp, inf, lgamma, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

# The spacing of floats near 1: a smaller relative change has no effect.
_PRECISION = 2.0**-52

# Stands in for a zero denominator, as usual in Lentz's method.
_TINY = 1e-300

# Halvings of an interval of logarithms, at most 2000 wide, down to the spacing of floats.
_MAX_HALVINGS = 70


def gamma_cdf(shape: float, x: float) -> float:
    """Compute P(shape, x), the cumulative distribution function of the gamma distribution with scale 1.

    Parameters
    ----------
    shape
        Above 0.
    x
        At least 0.

    Returns
    -------
    In [0, 1], increasing with ``x``.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 8.7.1 (series), 8.9.2 (continued fraction).

    Examples
    --------
    With shape 1, it is the exponential distribution.

    >>> round(gamma_cdf(1.0, 2.0), 6), round(1 - exp(-2.0), 6)
    (0.864665, 0.864665)
    """
    if x <= 0:
        return 0.0
    factor = exp(shape * log(x) - x - lgamma(shape))
    # Use the one that converges fast.
    return _series(shape, x) * factor if x < shape + 1 else 1 - factor * _fraction(shape, x)


def gamma_quantile(shape: float, share: float) -> float:
    """Compute a quantile of the gamma distribution with scale 1.

    Parameters
    ----------
    shape
        At least 0; with 0, the whole distribution is at 0.
    share
        In (0, 1).

    Returns
    -------
    At least 0, increasing with both parameters.

    Examples
    --------
    >>> round(gamma_quantile(1.0, 0.975), 4)
    3.6889
    """
    if shape == 0:
        return 0.0
    # P(shape, x) < x ** shape / gamma(shape + 1) is a lower bound. The mean plus more than forty standard deviations,
    # and the tail of the exponential distribution, are an upper bound.
    low = (log(share) + lgamma(shape + 1)) / shape
    high = log(shape + 40 * (shape**0.5 + 1) - log(1 - share))
    if low == -inf:
        return 0.0
    for _ in range(_MAX_HALVINGS):
        middle = (low + high) / 2
        if gamma_cdf(shape, exp(middle)) < share:
            low = middle
        else:
            high = middle
    return exp((low + high) / 2)


def _series(shape: float, x: float) -> float:
    """Sum x ** k / (shape (shape + 1) ... (shape + k)) until it converges."""
    term = total = 1 / shape
    k = 0
    while term > total * _PRECISION:
        k += 1
        term *= x / (shape + k)
        total += term
    return total


def _fraction(shape: float, x: float) -> float:
    """Evaluate 1 / (x + 1 - shape - 1 (1 - shape) / (x + 3 - shape - ...)) by Lentz's method."""
    denominator = x + 1 - shape
    upper = 1 / _TINY
    value = lower = 1 / denominator
    step, change = 0, 0.0
    while abs(change - 1) > _PRECISION:
        step += 1
        coefficient = -step * (step - shape)
        denominator += 2
        lower = 1 / _not_zero(denominator + coefficient * lower)
        upper = _not_zero(denominator + coefficient / upper)
        change = upper * lower
        value *= change
    return value


def _not_zero(ratio: float) -> float:
    """Replace zero by a tiny number, to divide by it."""
    return ratio if abs(ratio) > _TINY else _TINY


def wilson_interval(hits: float, n_labels: float, confidence: float = 0.95) -> tuple[float, float]:
    """Compute the score interval of a share, which works near 0 and 1 and for few labels.

    Parameters
    ----------
    hits
        The number of hits among the labels, in [0, n_labels].
    n_labels
        At least 1. Neither is a whole number where labels have unequal weights.
    confidence
        In (0, 1).

    Returns
    -------
    The ends, in [0, 1]. The share of hits lies between them.

    Raises
    ------
    ValueError
        If there are no labels, or more hits than labels.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", 1927.

    Examples
    --------
    >>> [round(end, 3) for end in wilson_interval(9, 10)]
    [0.596, 0.982]
    >>> [round(end, 3) for end in wilson_interval(10, 10)]
    [0.722, 1.0]
    """
    if not 0 <= hits <= n_labels or n_labels < 1:
        raise ValueError(f"{hits} hits of {n_labels} labels are no share; pass at least one label, and no more hits.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, pull = hits / n_labels, z * z / n_labels
    middle = (share + pull / 2) / (1 + pull)
    reach = sqrt(pull * (share * (1 - share) + pull / 4)) / (1 + pull)
    # At the ends, the formula yields 0 and 1 except for rounding.
    low = 0.0 if hits == 0 else middle - reach
    high = 1.0 if hits == n_labels else middle + reach
    return low, high


def poisson_interval(weights: NDArray[np.float64], heaviest: float, confidence: float = 0.95) -> tuple[float, float]:
    """Compute an interval for a number of cases from a sample of them, each of which stands for ``weight`` cases.

    If all weights are equal, this is the exact interval of Garwood. Otherwise it is the gamma interval of Fay and
    Feuer, which kept its confidence level in all their simulations: the upper end includes one more case with the
    largest weight that a case could have.

    Parameters
    ----------
    weights
        Shape (k,), above 0, one for each case in the sample; k may be 0.
    heaviest
        The largest weight of any row of the sample, case or not.
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
    No case in the sample: there are at most 3.7, with 2.5 % beyond.

    >>> [round(end, 2) for end in poisson_interval(np.array([]), heaviest=1.0)]
    [0.0, 3.69]
    >>> [round(end, 2) for end in poisson_interval(np.full(5, 1000.0), heaviest=1000.0)]
    [1623.49, 11668.33]
    """
    return poisson_interval_of_sums(float(weights.sum()), float((weights**2).sum()), heaviest, confidence)


def poisson_interval_of_sums(
    total: float, squares: float, heaviest: float, confidence: float = 0.95
) -> tuple[float, float]:
    """Compute the same from the sum of the weights and the sum of their squares.

    Examples
    --------
    >>> [round(end, 2) for end in poisson_interval_of_sums(5000.0, 5e6, heaviest=1000.0)]
    [1623.49, 11668.33]
    """
    beyond = (1 - confidence) / 2
    low = squares / total * gamma_quantile(total**2 / squares, beyond) if total > 0 else 0.0
    total, squares = total + heaviest, squares + heaviest**2
    return low, squares / total * gamma_quantile(total**2 / squares, 1 - beyond)
