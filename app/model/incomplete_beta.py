"""The regularised incomplete beta function for whole numbers, so that the service needs no SciPy."""

from __future__ import annotations

from math import lgamma

import numpy as np
from numpy.typing import NDArray

# What is smaller than the spacing of floats near 1 changes a product no more.
_PRECISION = float(np.finfo(np.float64).eps)

# Stands in for a zero denominator, as usual in Lentz's method.
_TINY = 1e-300

# The fraction settles within some multiple of the square root of its larger parameter; this is enough for a training
# set of 10 ** 10 rows and ends a loop that would not settle at all.
_MOST_STEPS = 1_000_000


def incomplete_beta(a: int, b: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute I_x(a, b), the probability that Binomial(a + b - 1, x) is at least a.

    Parameters
    ----------
    a, b
        At least 1.
    x
        Any shape, in (0, 1).

    Returns
    -------
    Shape as ``x``, in [0, 1], rising with ``x``.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 8.17.4 (symmetry), 8.17.22 (continued fraction).
    W. J. Lentz, "Generating Bessel functions in Mie scattering calculations using continued fractions", 1976.

    Examples
    --------
    Of three coins at least two show heads.

    >>> incomplete_beta(2, 2, np.array([0.5, 0.9])).round(3)
    array([0.5  , 0.972])
    """
    # The fraction settles fast on this side of the mean only; the other side is reached by symmetry.
    below = x < (a + 1) / (a + b + 2)
    result = np.empty_like(x)
    result[below] = _left_tail(a, b, x[below], 1 - x[below])
    result[~below] = 1 - _left_tail(b, a, 1 - x[~below], x[~below])
    # Rounding may lead out of the range by a last bit.
    result.clip(0, 1, out=result)
    return result


def _left_tail(a: int, b: int, x: NDArray[np.float64], rest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the function where the fraction settles fast; ``rest`` is ``1 - x``."""
    log_beta = lgamma(a) + lgamma(b) - lgamma(a + b)
    factor: NDArray[np.float64] = np.exp(a * np.log(x) + b * np.log(rest) - log_beta) / a
    return factor * _fraction(a, b, x)


def _fraction(a: int, b: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate 1 / (1 + d1 / (1 + d2 / (1 + ...))) by Lentz's method, each ``x`` until its value settles."""
    values = np.ones_like(x)
    # What has not settled: where it belongs, its value so far, and Lentz's two running ratios.
    places, fraction, upper, lower = np.arange(len(x)), np.ones_like(x), np.ones_like(x), np.zeros_like(x)
    for step in range(1, _MOST_STEPS):
        if not len(places):
            break
        coefficient = _coefficient(a, b, step) * x[places]
        lower = 1 / _not_zero(1 + coefficient * lower)
        upper = _not_zero(1 + coefficient / upper)
        change = upper * lower
        fraction = fraction * change
        moving = np.abs(change - 1) > _PRECISION
        if not moving.all():
            values[places] = fraction
            places, fraction, upper, lower = places[moving], fraction[moving], upper[moving], lower[moving]
    return 1 / values


def _coefficient(a: int, b: int, step: int) -> float:
    """Give d1, d2, ... of the continued fraction, without x."""
    m, odd = divmod(step, 2)
    if odd:
        return -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m))


def _not_zero(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep a ratio from being divided by when it is zero."""
    return np.where(np.abs(ratio) < _TINY, _TINY, ratio)
