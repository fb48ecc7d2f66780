"""Rows as points of a scatter plot: equal rows are one point, and of very many rows a part is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.distinct_rows import DistinctRows
from training.figures.style import axis_name, colour_of
from training.thinning import thin_points

_ONCE, _SEVERAL_TIMES = "occurs once", "occurs {:,} times"


# Rings, so that a test row on a training row does not hide it.
_SHAPES: dict[str, dict[str, Any]] = {
    "training": {"symbol": "circle"},
    "test": {"symbol": "circle-open", "opacity": 0.9},
}


@dataclass(frozen=True)
class RowPoints:
    """Distinct rows of a set, which are drawn in a plane of two of their numbers.

    Parameters
    ----------
    set_name
        Which set they are of, "training" or "test".
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
            What lies on the x and on the y axis, shape ``(n_rows, 2)``, of all rows of the set.
        axes
            What these are called.
        limit
            Draw at most so many points.
        """
        places = plane[self.distinct.first]
        drawn = thin_points(places, limit)
        x_name, y_name = map(axis_name, axes)
        return {
            "x": places[drawn, 0],
            "y": places[drawn, 1],
            "mode": "markers",
            # SVG, not WebGL: it is there in every browser, and sharp in print.
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


def say_what_is_drawn(points: list[RowPoints], limit: int) -> str:
    """Tell whether all rows are seen."""
    if all(len(of_set.distinct) <= limit for of_set in points):
        return "all rows are drawn; equal rows are one point"
    cut = "; ".join(f"{min(limit, len(of_set.distinct)):,} of {len(of_set.distinct):,}" for of_set in points)
    return f"a part of the distinct rows is drawn, the extreme ones among them ({cut})"
