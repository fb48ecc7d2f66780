"""Scatter plots of a data set: two features against each other, or in pairs the features with the widest range."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from training.data.dataset import Dataset
from training.data.summary import find_distinct_rows
from training.figures.points import RowPoints, describe_drawn
from training.figures.style import (
    ALL_ROWS,
    MIDDLE,
    axis_name,
    buttons,
    find_middle,
    new_figure,
    pad_range,
    sets_of,
    shorten,
)

# Six features make fifteen pairs; with more, the plots would be too small to read.
MAX_DRAWN_FEATURES = 6

# Per set and pair: a browser draws fifteen pairs with so many points within a few seconds.
MAX_DRAWN_MATRIX_POINTS = 1_000

# Pixels.
_PANEL_HEIGHT, _FRAME_HEIGHT = 165, 210

# Characters that fit beside one of the small plots.
_MAX_NAME_LENGTH = 18


def scatter_matrix(sets: dict[str, Dataset]) -> go.Figure:
    """Draw the six features with the widest range in pairs, each pair once.

    Parameters
    ----------
    sets
        Data with at least two features by the name of the set, the training data first.

    Returns
    -------
    A figure in which all plots of a feature have the same range, even when one of them is zoomed.
    """
    [training, *_] = sets.values()
    names = choose_widest(training)
    n_panels = len(names) - 1
    points = [RowPoints(name, find_distinct_rows(data.rows)) for name, data in sets.items()]
    figure = make_subplots(
        n_panels,
        n_panels,
        shared_xaxes="columns",
        shared_yaxes="rows",
        horizontal_spacing=0.015,
        vertical_spacing=0.02,
        specs=[[{} if column <= row else None for column in range(n_panels)] for row in range(n_panels)],
        figure=new_figure(
            f"{len(names)} features by pairs"
            if len(names) == len(training.names)
            else f"The {len(names)} features of the widest range, of {len(training.names)}, by pairs",
            describe_drawn(points, MAX_DRAWN_MATRIX_POINTS),
            height=_FRAME_HEIGHT + n_panels * _PANEL_HEIGHT,
            showlegend=len(sets) > 1,
        ),
    )
    for row, y_name in enumerate(names[1:]):
        for column, x_name in enumerate(names[: row + 1]):
            for of_set in points:
                data = sets[of_set.set_name]
                plane = np.column_stack([data.column(x_name), data.column(y_name)])
                trace = of_set.draw(plane, (x_name, y_name), MAX_DRAWN_MATRIX_POINTS)
                figure.add_scatter(**trace, showlegend=row == 0, row=row + 1, col=column + 1)
    for place, (x_name, y_name) in enumerate(itertools.pairwise(names), start=1):
        figure.update_yaxes(title_text=axis_name(y_name, _MAX_NAME_LENGTH), row=place, col=1)
        figure.update_xaxes(title_text=axis_name(x_name, _MAX_NAME_LENGTH), row=n_panels, col=place)
    figure.update_traces(marker_size=4)
    # Rotated or dense labels would not fit under plots of this size.
    figure.update_xaxes(nticks=4, tickangle=0)
    figure.update_yaxes(nticks=5)
    _add_matrix_buttons(figure, training, names)
    return figure


def choose_widest(data: Dataset, most: int = MAX_DRAWN_FEATURES) -> tuple[str, ...]:
    """Return the features with the widest range, in the order of the data.

    Parameters
    ----------
    data
        Any rows.
    most
        Maximum number of features.
    """
    chosen = np.sort(np.argsort(-np.ptp(data.rows, axis=0), kind="stable")[:most])
    return tuple(data.names[place] for place in chosen)


def _add_matrix_buttons(figure: go.Figure, training: Dataset, names: tuple[str, ...]) -> None:
    """Add buttons to zoom in on the middle of heavy-tailed data."""
    middles = {name: find_middle(training.column(name)) for name in names}
    everything: dict[str, Any] = {}
    closer: dict[str, Any] = {}
    n_panels = len(names) - 1
    for row in range(n_panels):
        for column in range(row + 1):
            panel = figure.get_subplot(row + 1, column + 1)
            for axis, name in ((panel.xaxis, names[column]), (panel.yaxis, names[row + 1])):
                everything[f"{axis.plotly_name}.autorange"] = True
                if middle := middles[name]:
                    closer[f"{axis.plotly_name}.range"] = pad_range(*middle)
                    closer[f"{axis.plotly_name}.autorange"] = False
    if closer:
        figure.update_layout(updatemenus=[buttons({ALL_ROWS: [{}, everything], MIDDLE: [{}, closer]})])


# Per set: a browser draws so many within about a second.
MAX_DRAWN_POINTS = 8_000

_ROW_NUMBER = "row"


def scatter_figure(training: Dataset, test: Dataset | None = None) -> go.Figure:
    """Draw the rows as points; equal rows are one point.

    Parameters
    ----------
    training
        Training data. Of two features the first lies on the x axis and the second on the y axis. One feature is
        drawn against the row number. Of more than two, the six with the widest range are drawn in pairs.
    test
        Test data, drawn over the training data.

    Returns
    -------
    A figure of all distinct rows if they are few enough for a browser; else of the extreme ones and some others. Its
    subtitle says which.
    """
    sets = sets_of(training, test)
    if len(training.names) > 2:
        return scatter_matrix(sets)
    planes = {name: _place_on_plane(data) for name, data in sets.items()}
    # Equal rows are different points if they are drawn against the row number.
    points = [
        RowPoints(name, find_distinct_rows(plane if len(training.names) == 1 else sets[name].rows))
        for name, plane in planes.items()
    ]
    axes = (_ROW_NUMBER, training.names[0]) if len(training.names) == 1 else (training.names[0], training.names[1])
    figure = new_figure(
        f"{shorten(axes[1])} against {shorten(axes[0])}",
        describe_drawn(points, MAX_DRAWN_POINTS),
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
    """Return the position of each row, shape ``(n_rows, 2)``; a single feature is drawn against the row number."""
    if len(data.names) > 1:
        return data.rows
    return np.column_stack([np.arange(1.0, len(data) + 1), data.rows])


def _add_buttons(figure: go.Figure, plane: NDArray[np.float64], axes: tuple[str, str]) -> None:
    """Add buttons to zoom in on the middle of heavy-tailed data."""
    closer: dict[str, Any] = {}
    for letter, axis, values in zip("xy", axes, plane.T, strict=True):
        if axis != _ROW_NUMBER and (middle := find_middle(values)):
            closer |= {f"{letter}axis.range": pad_range(*middle), f"{letter}axis.autorange": False}
    if closer:
        everything = {"xaxis.autorange": True, "yaxis.autorange": True}
        figure.update_layout(updatemenus=[buttons({ALL_ROWS: [{}, everything], MIDDLE: [{}, closer]})])
