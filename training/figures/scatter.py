"""Scatter plot of a data set: two features against each other, or the widest ones by pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from training.dataset import Dataset
from training.distinct_rows import find_distinct_rows
from training.figures.middle_view import ALL_ROWS, MIDDLE, find_middle, pad_range
from training.figures.points import RowPoints, say_what_is_drawn
from training.figures.scatter_matrix import scatter_matrix
from training.figures.style import axis_name, buttons, new_figure, sets_of, shorten

# Of each set: what a browser draws within about a second.
MAX_DRAWN_POINTS = 8_000

_ROW_NUMBER = "row"


def scatter_figure(training: Dataset, test: Dataset | None = None) -> go.Figure:
    """Draw the rows as points; equal rows are one point.

    Parameters
    ----------
    training
        Training data. Of two features the first lies on the x axis and the second on the y axis. One feature is
        drawn over the number of the row. Of more than two, the six with the widest range are drawn by pairs.
    test
        Test data, drawn over the training data.

    Returns
    -------
    A figure of all distinct rows if they are few enough for a browser; else of the extreme ones and a part of the
    others. Its subtitle says which.
    """
    sets = sets_of(training, test)
    if len(training.names) > 2:
        return scatter_matrix(sets)
    planes = {name: _place_on_plane(data) for name, data in sets.items()}
    # Rows at different numbers are different points, however equal they are.
    points = [
        RowPoints(name, find_distinct_rows(plane if len(training.names) == 1 else sets[name].rows))
        for name, plane in planes.items()
    ]
    axes = (_ROW_NUMBER, training.names[0]) if len(training.names) == 1 else (training.names[0], training.names[1])
    figure = new_figure(
        f"{shorten(axes[1])} against {shorten(axes[0])}",
        say_what_is_drawn(points, MAX_DRAWN_POINTS),
        xaxis={"title": {"text": axis_name(axes[0])}},
        yaxis={"title": {"text": axis_name(axes[1])}},
        showlegend=len(sets) > 1,
        height=620,
    )
    for of_set in points:
        figure.add_scatter(**of_set.draw(planes[of_set.set_name], axes, MAX_DRAWN_POINTS))
    _add_buttons(figure, planes["training"], axes)
    return figure


def _place_on_plane(data: Dataset) -> NDArray[np.float64]:
    """Give each row its place, shape ``(n_rows, 2)``; one feature is placed over the number of the row."""
    if len(data.names) > 1:
        return data.rows
    return np.column_stack([np.arange(1.0, len(data) + 1), data.rows])


def _add_buttons(figure: go.Figure, plane: NDArray[np.float64], axes: tuple[str, str]) -> None:
    """Offer a closer view of heavy tails."""
    closer: dict[str, Any] = {}
    for letter, axis, values in zip("xy", axes, plane.T, strict=True):
        if axis != _ROW_NUMBER and (middle := find_middle(values)):
            closer |= {f"{letter}axis.range": pad_range(*middle), f"{letter}axis.autorange": False}
    if closer:
        everything = {"xaxis.autorange": True, "yaxis.autorange": True}
        figure.update_layout(updatemenus=[buttons({ALL_ROWS: [{}, everything], MIDDLE: [{}, closer]})])
