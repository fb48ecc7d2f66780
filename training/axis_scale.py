"""The scale of a plot's axis: straight where values lie evenly, compressed where a few lie far out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.scale import FuncScale
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from app.model.features import LARGEST_NUMBER

# Nine tenths of the values lie between these.
_BULK = (0.05, 0.95)

# Ranges this many times as wide as their bulk would squeeze it into a corner. A million normal values come to 3,
# exponential ones to 5.
_HEAVY_TAIL = 10

# The straight part around the median is half as wide as the bulk, and never so narrow a part of the range that the
# picture would be about the median alone.
_STRAIGHT_PART_OF_BULK, _NARROWEST_PART_OF_RANGE = 4, 1e4

# What is left free around the values, as a share of the drawn length.
_MARGIN = 0.04

# More would overlap when the numbers are long.
_TICKS = 7

# How far a tick may move along the axis, as a share of its length, to stand at a shorter number.
_TICK_SHIFT = 0.025


@dataclass(frozen=True)
class AxisScale:
    """Where the values of one feature are drawn.

    A heavy-tailed feature is drawn by the inverse hyperbolic sine around its median: straight near it, logarithmic on
    both sides of it. Unlike a logarithm it takes zero and negative numbers.

    Parameters
    ----------
    centre
        The median of the values.
    width
        How far from the centre the scale is straight, in units of the feature; None if it is straight everywhere.
    low, high
        Where the axis begins and ends, in units of the feature.

    Examples
    --------
    >>> AxisScale.of(np.arange(101.0)).is_straight
    True
    >>> scale = AxisScale.of(np.array([*range(99), 1e6]))
    >>> scale.is_straight, scale.describe("price")
    (False, 'price (logarithmic away from its median, 49.5)')
    >>> scale.ticks()
    [20.0, 300.0, 1000.0, 5000.0, 30000.0, 110000.0, 600000.0]
    """

    centre: float
    width: float | None
    low: float
    high: float

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> AxisScale:
        """Choose the scale for finite ``values``, at least one, shape ``(n_rows,)``."""
        low, centre, high = float(values.min()), float(np.median(values)), float(values.max())
        bulk = float(np.subtract(*np.quantile(values, _BULK[::-1])))
        is_heavy = high - low > _HEAVY_TAIL * bulk
        width = max(bulk / _STRAIGHT_PART_OF_BULK, (high - low) / _NARROWEST_PART_OF_RANGE) if is_heavy else None
        if low == high:
            # A constant stands in the middle of an axis of some length.
            width, low, high = None, low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2
        whole = cls(centre, width, low, high)
        start, end = whole.forward([low, high])
        margin = _MARGIN * (end - start)
        ends = np.clip(whole.backward([start - margin, end + margin]), -LARGEST_NUMBER, LARGEST_NUMBER)
        return cls(centre, width, *ends.tolist())

    @property
    def is_straight(self) -> bool:
        """Whether equal differences are drawn equally long everywhere."""
        return self.width is None

    def forward(self, values: ArrayLike) -> NDArray[np.float64]:
        """Give the place on the drawn axis of each value."""
        known = np.asarray(values, dtype=np.float64)
        return known if self.width is None else np.arcsinh((known - self.centre) / self.width)

    def backward(self, places: ArrayLike) -> NDArray[np.float64]:
        """Give the value at each place: the inverse of :meth:`forward`."""
        known = np.asarray(places, dtype=np.float64)
        return known if self.width is None else self.centre + self.width * np.sinh(known)

    def grid(self, n_values: int) -> NDArray[np.float64]:
        """Give values from ``low`` to ``high`` that are drawn at equal distances, shape ``(n_values,)``."""
        start, end = self.forward([self.low, self.high])
        # Undoing the scale may overshoot the ends by a rounding error, beyond float32 for the largest numbers.
        return np.clip(self.backward(np.linspace(start, end, n_values)), self.low, self.high)

    def ticks(self) -> list[float]:
        """Choose numbers to write at the axis: evenly spread, and as short as that allows."""
        start, end = self.forward([self.low, self.high])
        shift = _TICK_SHIFT * (end - start)
        # In the middles of equal parts, so that none stands in a corner.
        places = start + (np.arange(_TICKS) + 0.5) / _TICKS * (end - start)
        bounds = self.backward(np.stack([places - shift, places + shift], axis=1))
        return sorted({_shortest_between(low, high) for low, high in bounds.tolist()})

    def describe(self, name: str) -> str:
        """Label the axis of a feature, saying so if it is not straight."""
        return name if self.is_straight else f"{name} (logarithmic away from its median, {self.centre:.3g})"

    def apply(self, axes: Axes, which: Literal["x", "y"]) -> None:
        """Give the scale, the ends and, where Matplotlib knows none for the scale, the ticks to a Matplotlib axis."""
        if not self.is_straight:
            axes.set(**{f"{which}scale": FuncScale(None, (self.forward, self.backward))})
            ticks = self.ticks()
            axis = axes.xaxis if which == "x" else axes.yaxis
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
            axis.set_minor_locator(NullLocator())
        axes.set(**{f"{which}lim": (self.low, self.high)})


def _shortest_between(low: float, high: float) -> float:
    """Find the number of the fewest digits between two numbers.

    Examples
    --------
    >>> _shortest_between(1234, 1300), _shortest_between(-0.021, -0.013)
    (1300.0, -0.02)
    """
    if low <= 0 <= high:
        return 0.0
    # A multiple of this power of ten lies between for certain, one of the next power perhaps.
    exponent = math.floor(math.log10(high - low))
    coarse, fine = (f"{math.ceil(low / 10.0**power):d}e{power}" for power in (exponent + 1, exponent))
    return float(coarse) if float(coarse) <= high else float(fine)
