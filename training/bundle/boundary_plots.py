"""Draw the boundary of a forest in a plane of two features, with rows around it."""

from __future__ import annotations

import math

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from app.model.forest import INLIER, OUTLIER, Forest
from training.bundle.boundary import BoundaryPlane
from training.bundle.picture import INLIER_COLOUR, OUTLIER_COLOUR, THRESHOLD_COLOUR, begin, finish, shorten

_INLIER_REGION, _ROW_COLOUR = "#fdf3e1", "#333333"

# Steps between the boundary and the lowest score: enough to see a slope, few enough to distinguish the steps.
_LEVELS = 8

# The part of the colour map whose blues are soft enough for dots to be visible on them.
_SOFT_BLUES = colormaps["Blues"](np.linspace(0.65, 0.12, _LEVELS))

# Areas in square points: of a dot for one row, and what each tenfold number of rows adds.
_DOT_AREA, _DOT_GROWTH = 7.0, 14.0


def boundary_figure(forest: Forest, rows: NDArray[np.float64], names: tuple[str, ...], title: str) -> Figure:
    """Draw a forest's decision function and the rows that it was trained on.

    Parameters
    ----------
    forest
        A forest of at least two features. With more, the two that it splits most often are drawn, with the others at
        their medians; the title says so.
    rows
        Training rows, shape ``(n_rows, n_features)``.
    names
        Feature names.
    title
        Title of the plot.

    Raises
    ------
    ValueError
        If there is only one feature.
    """
    return draw_training_rows(BoundaryPlane.of(forest, rows, names), forest.offset, rows, title)


def draw_training_rows(plane: BoundaryPlane, threshold: float, rows: NDArray[np.float64], title: str) -> Figure:
    """Draw training rows on a plane whose scores are known.

    Parameters
    ----------
    plane
        The plane with its scores.
    threshold
        Rows with a lower score are outliers, in [-1, 0].
    rows
        Shape ``(n_rows, n_features)``.
    title
        Title of the plot.
    """
    figure, axes, legend = _draw_plane(plane, threshold, title)
    legend.append(
        _draw_dots(axes, plane, rows, _ROW_COLOUR, f"training rows ({len(rows):,}; larger where many coincide)")
    )
    return finish(figure, legend)


def draw_labelled_rows(
    plane: BoundaryPlane, threshold: float, rows: NDArray[np.float64], labels: NDArray[np.int64], title: str
) -> Figure:
    """Draw rows coloured by predicted label: inliers blue, outliers red.

    Parameters
    ----------
    plane
        The plane with its scores.
    threshold
        Rows with a lower score are outliers, in [-1, 0].
    rows
        Shape ``(n_rows, n_features)``.
    labels
        Shape ``(n_rows,)``: 1 inlier, -1 outlier.
    title
        Title of the plot.
    """
    figure, axes, legend = _draw_plane(plane, threshold, title)
    # Outliers last: they are few, and must not be hidden.
    for label, called, colour in ((INLIER, "inliers", INLIER_COLOUR), (OUTLIER, "outliers", OUTLIER_COLOUR)):
        chosen = rows[labels == label]
        legend.append(_draw_dots(axes, plane, chosen, colour, f"{called} ({len(chosen):,})"))
    return finish(figure, legend)


def _draw_plane(plane: BoundaryPlane, threshold: float, title: str) -> tuple[Figure, Axes, list[Patch | Line2D]]:
    """Draw the decision function and its boundary; return the first entries of the legend too."""
    figure, axes = begin(title + plane.describe_fixed_features())
    decision = plane.scores - threshold
    across, up = plane.scales
    across.apply(axes, "x")
    up.apply(axes, "y")
    # A dollar sign in a column's name does not start a formula.
    axes.set_xlabel(across.describe(shorten(plane.shown_names()[0])), parse_math=False)
    axes.set_ylabel(up.describe(shorten(plane.shown_names()[1])), parse_math=False)
    lowest, highest = float(decision.min()), float(decision.max())
    legend: list[Patch | Line2D] = []
    if lowest < 0:
        levels = np.linspace(lowest, 0, _LEVELS + 1)
        filled = axes.contourf(*plane.grid, decision, levels=levels, cmap=ListedColormap(_SOFT_BLUES))
        # Enough to distinguish numbers one step apart.
        digits = max(2, 1 - math.floor(math.log10(-lowest / _LEVELS)))
        bar = figure.colorbar(filled, ax=axes, format=f"%.{digits}f", ticks=levels, shrink=0.8)
        bar.set_label("decision function (below 0: outlier)")
    if highest >= 0:
        axes.contourf(*plane.grid, decision, levels=[0, max(highest, 1e-9) * 1.01], colors=[_INLIER_REGION])
        legend.append(Patch(facecolor=_INLIER_REGION, edgecolor="grey", label="inlier region"))
    crosses = lowest < 0 <= highest
    if crosses:
        axes.contour(*plane.grid, decision, levels=[0], colors=THRESHOLD_COLOUR, linewidths=2)
    where = "decision function 0" if crosses else "none here"
    legend.append(Line2D([], [], color=THRESHOLD_COLOUR, linewidth=2, label=f"boundary ({where})"))
    return figure, axes, legend


def _draw_dots(axes: Axes, plane: BoundaryPlane, rows: NDArray[np.float64], colour: str, called: str) -> Line2D:
    """Draw rows as dots, larger where many coincide; return the entry of the legend."""
    dots, counts = plane.place(rows)
    # Large dots first, so that they do not hide small ones.
    order = np.argsort(-counts, kind="stable")
    areas = _DOT_AREA + _DOT_GROWTH * np.log10(counts[order])
    across, up = dots[order].T
    axes.scatter(across, up, s=areas, c=colour, edgecolors="white", linewidths=0.4, clip_on=False, zorder=3)
    return Line2D([], [], linestyle="", marker="o", color=colour, markeredgecolor="white", label=called)
