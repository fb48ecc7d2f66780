"""A forest's scores on a plane of two features, for the plots of its boundary, and the scales of their axes.

A scale is linear where values are evenly spread, and compressed where a few are far out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.scale import FuncScale
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from app.model.forest import Forest
from app.model.schema import LARGEST_NUMBER

# Nine tenths of the values are between these quantiles.
_BULK = (0.05, 0.95)

# A range this many times as wide as its bulk would squeeze the bulk into a corner. A million normal values reach 3,
# exponential ones 5.
_HEAVY_TAIL = 10

# The linear part around the median is half as wide as the bulk, but not so narrow a part of the range that the picture
# would show little but the median.
_STRAIGHT_PART_OF_BULK, _NARROWEST_PART_OF_RANGE = 4, 1e4

# Margin around the values, as a share of the drawn length.
_MARGIN = 0.04

# More would overlap when the numbers are long.
_TICKS = 7

# How far a tick may move along the axis to a shorter number, as a share of its length.
_TICK_SHIFT = 0.025


@dataclass(frozen=True)
class AxisScale:
    """The scale of an axis for the values of one feature.

    A heavy-tailed feature is scaled by the inverse hyperbolic sine around its median: linear near it, logarithmic on
    both sides. Unlike a logarithm, it accepts zero and negative numbers.

    Parameters
    ----------
    centre
        The median of the values.
    width
        How far from the centre the scale is linear, in units of the feature; None if it is linear everywhere.
    low, high
        Ends of the axis, in units of the feature.

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
            # A constant is drawn in the middle of an axis of some length.
            width, low, high = None, low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2
        whole = cls(centre, width, low, high)
        start, end = whole.forward([low, high])
        margin = _MARGIN * (end - start)
        ends = np.clip(whole.backward([start - margin, end + margin]), -LARGEST_NUMBER, LARGEST_NUMBER)
        return cls(centre, width, *ends.tolist())

    @property
    def is_straight(self) -> bool:
        """Whether the scale is linear everywhere."""
        return self.width is None

    def forward(self, values: ArrayLike) -> NDArray[np.float64]:
        """Return the position of each value on the axis."""
        known = np.asarray(values, dtype=np.float64)
        return known if self.width is None else np.arcsinh((known - self.centre) / self.width)

    def backward(self, places: ArrayLike) -> NDArray[np.float64]:
        """Return the value at each position: the inverse of :meth:`forward`."""
        known = np.asarray(places, dtype=np.float64)
        return known if self.width is None else self.centre + self.width * np.sinh(known)

    def grid(self, n_values: int) -> NDArray[np.float64]:
        """Return values from ``low`` to ``high`` at equal distances on the axis, shape ``(n_values,)``."""
        start, end = self.forward([self.low, self.high])
        # Undoing the scale may overshoot the ends by a rounding error, beyond float32 for the largest numbers.
        return np.clip(self.backward(np.linspace(start, end, n_values)), self.low, self.high)

    def ticks(self) -> list[float]:
        """Choose evenly spread ticks with numbers that are as short as possible."""
        start, end = self.forward([self.low, self.high])
        shift = _TICK_SHIFT * (end - start)
        # In the middle of equal parts, so that none is in a corner.
        places = start + (np.arange(_TICKS) + 0.5) / _TICKS * (end - start)
        bounds = self.backward(np.stack([places - shift, places + shift], axis=1))
        return sorted({_shortest_between(low, high) for low, high in bounds.tolist()})

    def describe(self, name: str) -> str:
        """Return the label of the axis, which mentions a scale that is not linear."""
        return name if self.is_straight else f"{name} (logarithmic away from its median, {self.centre:.3g})"

    def apply(self, axes: Axes, which: Literal["x", "y"]) -> None:
        """Set scale, ends and, if the scale is not Matplotlib's own, ticks of a Matplotlib axis."""
        if not self.is_straight:
            axes.set(**{f"{which}scale": FuncScale(None, (self.forward, self.backward))})
            ticks = self.ticks()
            axis = axes.xaxis if which == "x" else axes.yaxis
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in ticks]))
            axis.set_minor_locator(NullLocator())
        axes.set(**{f"{which}lim": (self.low, self.high)})


def _shortest_between(low: float, high: float) -> float:
    """Find the number with the fewest digits between two numbers.

    Examples
    --------
    >>> _shortest_between(1234, 1300), _shortest_between(-0.021, -0.013)
    (1300.0, -0.02)
    """
    if low <= 0 <= high:
        return 0.0
    # There is certainly a multiple of this power of ten in between, and perhaps one of the next power.
    exponent = math.floor(math.log10(high - low))
    coarse, fine = (f"{math.ceil(low / 10.0**power):d}e{power}" for power in (exponent + 1, exponent))
    return float(coarse) if float(coarse) <= high else float(fine)


# Points along each axis. A plot is about 600 pixels wide: more would be invisible, and their cost is quadratic.
_GRID_POINTS = 300

# Spots along each axis. Rows on one spot are one dot, since a dot is wider than a spot.
_SPOTS = 500


@dataclass(frozen=True)
class BoundaryPlane:
    """Scores on a plane through the space of all features.

    Parameters
    ----------
    shown
        Column numbers of the two features that are drawn: across, up.
    names
        Names of all features.
    medians
        Training medians, shape ``(n_features,)``: the values of the features that are not drawn.
    scales
        Scales of the two features.
    scores
        Shape ``(n_up, n_across)``, in [-1, 0]: the lower, the more abnormal.
    """

    shown: tuple[int, int]
    names: tuple[str, ...]
    medians: NDArray[np.float64]
    scales: tuple[AxisScale, AxisScale]
    scores: NDArray[np.float64]

    @classmethod
    def of(cls, forest: Forest, rows: NDArray[np.float64], names: tuple[str, ...]) -> BoundaryPlane:
        """Choose the plane of the two features that the forest splits most often, and score it.

        Parameters
        ----------
        forest
            A forest of at least two features.
        rows
            Training rows, shape ``(n_rows, n_features)``: the plane spans their range.
        names
            Feature names.

        Raises
        ------
        ValueError
            If there is only one feature.
        """
        if len(names) < 2:
            raise ValueError("A plane needs two features; this forest has one.")
        across, up = _two_most_split(forest)
        medians = np.nanmedian(rows, axis=0)
        scales = tuple(AxisScale.of(values[~np.isnan(values)]) for values in (rows[:, across], rows[:, up]))
        grid = np.tile(medians, (_GRID_POINTS**2, 1))
        # The second axis is the slow one, as in an image.
        grid[:, up] = np.repeat(scales[1].grid(_GRID_POINTS), _GRID_POINTS)
        grid[:, across] = np.tile(scales[0].grid(_GRID_POINTS), _GRID_POINTS)
        scores = forest.score(grid).reshape(_GRID_POINTS, _GRID_POINTS)
        return cls((across, up), names, medians, (scales[0], scales[1]), scores)

    @property
    def grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The values of the two features at which scores are known: across, up."""
        return self.scales[0].grid(_GRID_POINTS), self.scales[1].grid(_GRID_POINTS)

    def describe_fixed_features(self) -> str:
        """Describe the values of the features that are not drawn, on a line of its own; empty if there are none."""
        others = len(self.names) - 2
        if not others:
            return ""
        where = "the third at its median" if others == 1 else f"the other {others} at their medians"
        return f"\nthe two features that are split most often; {where}"

    def shown_names(self) -> tuple[str, str]:
        """Return the names of the two features that are drawn."""
        return self.names[self.shown[0]], self.names[self.shown[1]]

    def place(self, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return a dot for each spot with rows; no spot is left out, so extremes are drawn.

        Parameters
        ----------
        rows
            Shape ``(n_rows, n_features)``; rows beyond the plane's range are drawn at its edge, rows without one of the
            two values not at all.

        Returns
        -------
        The dots, shape ``(n_dots, 2)``, and the number of rows on each.
        """
        rows = rows[~np.isnan(rows[:, list(self.shown)]).any(axis=1)]
        within = np.column_stack(
            [
                np.clip(rows[:, feature], scale.low, scale.high)
                for feature, scale in zip(self.shown, self.scales, strict=True)
            ]
        )
        spots = np.zeros(len(rows), dtype=np.int64)
        for values, scale in zip(within.T, self.scales, strict=True):
            start, end = scale.forward([scale.low, scale.high])
            spots = spots * (_SPOTS + 1) + ((scale.forward(values) - start) / (end - start) * _SPOTS).astype(np.int64)
        _, first, counts = np.unique(spots, return_index=True, return_counts=True)
        return within[first], counts


def _two_most_split(forest: Forest) -> tuple[int, int]:
    """Find the two features that most inner nodes test, in column order."""
    arrays = forest.arrays
    split: NDArray[np.integer] = arrays.feature[~arrays.is_leaf()]
    if forest.encoding is not None:
        split = forest.encoding.owners[split]
    splits = np.bincount(split, minlength=forest.n_columns)
    # A stable sort: of features that are split equally often, the first columns are drawn.
    across, up = sorted(np.argsort(-splits, kind="stable")[:2].tolist())
    return across, up
