"""Rows as points of a plot: equal rows are one point, and very many are thinned without losing the extreme ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.data.summary import DistinctRows
from training.figures.style import axis_name, colour_of

# Number of the lowest and of the highest points on each axis that are always drawn.
KEPT_AT_EACH_END = 10

# Which of the many points in the middle of the cloud are drawn does not matter, but they should be the same each time.
_SEED = 0


def thin_points(points: NDArray[np.float64], limit: int) -> NDArray[np.int64]:
    """Choose points to draw: the extreme ones, one in each place that has any, and a random sample of the others.

    Parameters
    ----------
    points
        Shape ``(n_points, 2)``, finite.
    limit
        Maximum number to draw, at least 100.

    Returns
    -------
    Positions of the points to draw, counted from 0, ascending; all of them if the limit allows it.

    Notes
    -----
    The places are the cells of a square grid over all points, with half as many cells as points may be drawn. An
    isolated point is alone in its cell and is drawn, even in the middle of the plane.
    """
    if len(points) <= limit:
        return np.arange(len(points))
    kept = np.zeros(len(points), dtype=bool)
    for axis in points.T:
        kept[np.argpartition(axis, KEPT_AT_EACH_END)[:KEPT_AT_EACH_END]] = True
        kept[np.argpartition(axis, -KEPT_AT_EACH_END)[-KEPT_AT_EACH_END:]] = True
    kept[_first_of_each_cell(points, cells_a_side=int(np.sqrt(limit // 2)))] = True
    others = np.flatnonzero(~kept)
    by_chance = np.random.default_rng(_SEED).choice(others, size=limit - int(kept.sum()), replace=False)
    kept[by_chance] = True
    return np.flatnonzero(kept)


def thin_values(values: NDArray[np.float64], limit: int) -> NDArray[np.float64]:
    """Choose values to draw on a line: the extreme ones, and an even sample of the sorted others.

    Parameters
    ----------
    values
        Shape ``(n_values,)``, finite.
    limit
        Maximum number to draw, at least 100.

    Returns
    -------
    Ascending, each value once.
    """
    different = np.unique(values)
    if len(different) <= limit:
        return different
    ends = np.r_[:KEPT_AT_EACH_END, len(different) - KEPT_AT_EACH_END : len(different)]
    evenly = np.linspace(0, len(different) - 1, limit - len(ends)).astype(np.int64)
    chosen: NDArray[np.float64] = different[np.union1d(ends, evenly)]
    return chosen


def thin_curve(values: NDArray[np.float64], limit: int) -> NDArray[np.int64]:
    """Choose points of a curve to draw: the lowest and the highest of each stretch, so that no peak is lost.

    Parameters
    ----------
    values
        Shape ``(n_values,)``, finite, in the order in which they are drawn.
    limit
        Maximum number to draw, at least 4.

    Returns
    -------
    Positions of the points to draw, counted from 0, ascending; all of them if the limit allows it.

    Examples
    --------
    >>> thin_curve(np.array([1.0, 2.0, 9.0, 3.0, 2.0, 1.0, 0.0, 1.0]), limit=4)
    array([0, 2, 4, 6])
    """
    if len(values) <= limit:
        return np.arange(len(values))
    stretches = np.array_split(np.arange(len(values)), limit // 2)
    chosen = [(part[values[part].argmin()], part[values[part].argmax()]) for part in stretches]
    return np.unique(chosen)


def _first_of_each_cell(points: NDArray[np.float64], cells_a_side: int) -> NDArray[np.int64]:
    """Find the first point in each occupied cell of a square grid over all points."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    places = (points - low) / span
    columns, rows = np.minimum((places * cells_a_side).astype(np.int64), cells_a_side - 1).T
    cells = columns * cells_a_side + rows
    # Assigned from the last point to the first, so that the first one of each cell remains.
    first = np.full(cells_a_side**2, -1)
    first[cells[::-1]] = np.arange(len(points))[::-1]
    return first[first >= 0]


_ONCE, _SEVERAL_TIMES = "occurs once", "occurs {:,} times"


# Rings, so that a test row on a training row does not hide it.
_SHAPES: dict[str, dict[str, Any]] = {
    "training": {"symbol": "circle"},
    "test": {"symbol": "circle-open", "opacity": 0.9},
}


@dataclass(frozen=True)
class RowPoints:
    """The distinct rows of a set, to be drawn in the plane of two features.

    Parameters
    ----------
    set_name
        The set, "training" or "test".
    distinct
        The distinct rows of the set.
    """

    set_name: str
    distinct: DistinctRows

    def draw(self, plane: NDArray[np.float64], axes: tuple[str, str], limit: int) -> dict[str, Any]:
        """Describe the points for Plotly's ``add_scatter``.

        Parameters
        ----------
        plane
            Values on the x and on the y axis for all rows of the set, shape ``(n_rows, 2)``.
        axes
            Names of the axes.
        limit
            Maximum number of points to draw.
        """
        places = plane[self.distinct.first]
        drawn = thin_points(places, limit)
        x_name, y_name = map(axis_name, axes)
        return {
            "x": places[drawn, 0],
            "y": places[drawn, 1],
            "mode": "markers",
            # SVG, not WebGL: every browser has it, and it is sharp in print.
            "marker": {"color": colour_of(self.set_name), "size": 5, "opacity": 0.55} | _SHAPES[self.set_name],
            "name": self.set_name,
            "legendgroup": self.set_name,
            "text": [
                f"row {row + 1:,}, {_ONCE if count == 1 else _SEVERAL_TIMES.format(count)}"
                for row, count in zip(
                    self.distinct.first[drawn].tolist(), self.distinct.counts[drawn].tolist(), strict=True
                )
            ],
            "hovertemplate": f"{x_name}: %{{x}}<br>{y_name}: %{{y}}<br>%{{text}}",
        }


def describe_drawn(points: list[RowPoints], limit: int) -> str:
    """Describe whether all rows are drawn."""
    if all(len(of_set.distinct) <= limit for of_set in points):
        return "all rows are drawn; equal rows are one point"
    cut = "; ".join(f"{min(limit, len(of_set.distinct)):,} of {len(of_set.distinct):,}" for of_set in points)
    return f"some of the distinct rows are drawn, including the extreme ones ({cut})"
