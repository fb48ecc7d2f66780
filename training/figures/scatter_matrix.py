"""Scatter plots of the widest features of a data set, by pairs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from training.dataset import Dataset
from training.distinct_rows import find_distinct_rows
from training.figures.middle_view import ALL_ROWS, MIDDLE, find_middle, pad_range
from training.figures.points import RowPoints, say_what_is_drawn
from training.figures.style import axis_name, buttons, new_figure

# Six features make fifteen pairs; of more, none would be large enough to be read.
MAX_DRAWN_FEATURES = 6

# Of each set in each pair: fifteen pairs of them are what a browser draws within a few seconds.
MAX_DRAWN_POINTS = 1_000

# Pixels.
_PANEL_HEIGHT, _FRAME_HEIGHT = 165, 210

# Characters that fit beside one of the small plots.
_LONGEST_NAME = 18


def scatter_matrix(sets: dict[str, Dataset]) -> go.Figure:
    """Draw the six features of the widest range by pairs, each pair once.

    Parameters
    ----------
    sets
        Data of at least two features by the name of the set, the training data first.

    Returns
    -------
    A figure in which all plots of a feature keep to the same range, also when one of them is zoomed.
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
            say_what_is_drawn(points, MAX_DRAWN_POINTS),
            height=_FRAME_HEIGHT + n_panels * _PANEL_HEIGHT,
            showlegend=len(sets) > 1,
        ),
    )
    for row, y_name in enumerate(names[1:]):
        for column, x_name in enumerate(names[: row + 1]):
            for of_set in points:
                data = sets[of_set.set_name]
                plane = np.column_stack([data.column(x_name), data.column(y_name)])
                trace = of_set.draw(plane, (x_name, y_name), MAX_DRAWN_POINTS)
                figure.add_scatter(**trace, showlegend=row == 0, row=row + 1, col=column + 1)
    for place, (x_name, y_name) in enumerate(itertools.pairwise(names), start=1):
        figure.update_yaxes(title_text=axis_name(y_name, _LONGEST_NAME), row=place, col=1)
        figure.update_xaxes(title_text=axis_name(x_name, _LONGEST_NAME), row=n_panels, col=place)
    figure.update_traces(marker_size=4)
    # Labels that are turned or close together would not fit under so small plots.
    figure.update_xaxes(nticks=4, tickangle=0)
    figure.update_yaxes(nticks=5)
    _add_buttons(figure, training, names)
    return figure


def choose_widest(data: Dataset, most: int = MAX_DRAWN_FEATURES) -> tuple[str, ...]:
    """Name the features whose largest value is farthest from their smallest, in the order of the data.

    Parameters
    ----------
    data
        Any rows.
    most
        How many features at most.
    """
    chosen = np.sort(np.argsort(-np.ptp(data.rows, axis=0), kind="stable")[:most])
    return tuple(data.names[place] for place in chosen)


def _add_buttons(figure: go.Figure, training: Dataset, names: tuple[str, ...]) -> None:
    """Offer a closer view of heavy tails."""
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
