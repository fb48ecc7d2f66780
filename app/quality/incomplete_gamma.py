"""The gamma distribution and its quantiles, so that the service needs no SciPy."""

from __future__ import annotations

from math import exp, inf, lgamma, log

# What is smaller than the spacing of floats near 1 changes a sum or product no more.
_PRECISION = 2.0**-52

# Stands in for a zero denominator, as usual in Lentz's method.
_TINY = 1e-300

# Halvings of an interval of logarithms, at most 2000 wide, down to the spacing of floats.
_MOST_HALVINGS = 70


def gamma_share(shape: float, x: float) -> float:
    """Compute P(shape, x): the share of the gamma distribution of scale 1 that is below ``x``.

    Parameters
    ----------
    shape
        Above 0.
    x
        At least 0.

    Returns
    -------
    In [0, 1], rising with ``x``.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 8.7.1 (series), 8.9.2 (continued fraction).

    Examples
    --------
    With shape 1 it is the exponential distribution.

    >>> round(gamma_share(1.0, 2.0), 6), round(1 - exp(-2.0), 6)
    (0.864665, 0.864665)
    """
    if x <= 0:
        return 0.0
    factor = exp(shape * log(x) - x - lgamma(shape))
    # Each side has the one that settles fast there.
    return _series(shape, x) * factor if x < shape + 1 else 1 - factor * _fraction(shape, x)


def gamma_quantile(shape: float, share: float) -> float:
    """Find what a share of the gamma distribution of scale 1 is below.

    Parameters
    ----------
    shape
        At least 0; at 0 all of the distribution lies at 0.
    share
        In (0, 1).

    Returns
    -------
    At least 0, rising with both.

    Examples
    --------
    >>> round(gamma_quantile(1.0, 0.975), 4)
    3.6889
    """
    if shape == 0:
        return 0.0
    # P(shape, x) < x ** shape / gamma(shape + 1) bounds it from below. A share of the mean and more than forty standard
    # deviations of both tails bound it from above.
    low = (log(share) + lgamma(shape + 1)) / shape
    high = log(shape + 40 * (shape**0.5 + 1) - log(1 - share))
    if low == -inf:
        return 0.0
    for _ in range(_MOST_HALVINGS):
        middle = (low + high) / 2
        if gamma_share(shape, exp(middle)) < share:
            low = middle
        else:
            high = middle
    return exp((low + high) / 2)


def _series(shape: float, x: float) -> float:
    """Sum x ** k / (shape (shape + 1) ... (shape + k)) until it settles."""
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
    """Keep a ratio from being divided by when it is zero."""
    return ratio if abs(ratio) > _TINY else _TINY
