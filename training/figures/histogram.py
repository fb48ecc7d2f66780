"""Histogram of one feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from training.data.dataset import Dataset
from training.figures.style import (
    ALL_ROWS,
    MIDDLE,
    WIDTH_OF_SCALES,
    axis_name,
    buttons,
    colour_of,
    find_middle,
    new_figure,
    scale_buttons,
    sets_of,
    shorten,
)

# Few enough to be read one by one, whatever the number of rows.
N_BINS = 20

# If one bar holds more than this share of the rows, the others can hardly be seen beside it on a linear axis.
OVERWHELMING = 0.8

HOVER = "%{customdata[0]:.6g} to %{customdata[1]:.6g}<br>%{customdata[2]:,} rows (%{customdata[3]:.3%})"


def histogram_figure(training: Dataset, feature: str, test: Dataset | None = None) -> go.Figure:
    """Draw how often a feature's values occur, in 20 bins; every row is counted.

    Parameters
    ----------
    training
        Training data.
    feature
        One of their features.
    test
        Test data; with them the bars show shares instead of numbers of rows, since the sets differ in size.

    Returns
    -------
    A figure with buttons for a logarithmic axis and, where a few far values press the others together, for 20 bins
    of the middle 98 % of the training rows.
    """
    columns = {name: data.column(feature) for name, data in sets_of(training, test).items()}
    every = np.concatenate([[values.min(), values.max()] for values in columns.values()])
    views = {ALL_ROWS: (float(every.min()), float(every.max()))}
    if middle := find_middle(columns["training"]):
        views[MIDDLE] = middle
    unit = "rows" if test is None else "share of rows"
    figure = new_figure(
        shorten(feature),
        f"{N_BINS} bins of equal width",
        barmode="overlay",
        xaxis={"title": {"text": axis_name(feature)}},
        yaxis={"title": {"text": unit}, "tickformat": "," if test is None else ".3~%"},
        showlegend=test is not None,
    )
    logarithmic = False
    for view, (low, high) in views.items():
        edges = find_edges(low, high)
        for place, (name, values) in enumerate(columns.items()):
            counts = np.histogram(values, edges)[0]
            if view == ALL_ROWS:
                logarithmic |= OVERWHELMING < counts.max() / len(values) < 1
            bars = _draw_bars(edges, counts, len(values), test is not None, place, len(columns))
            colour = colour_of(name)
            figure.add_bar(**bars, name=name, marker_color=colour, visible=view == ALL_ROWS)
    add_view_buttons(figure, list(views), len(columns), logarithmic)
    return figure


def find_edges(low: float, high: float) -> NDArray[np.float64]:
    """Divide a range into 20 bins of equal width; a range too narrow for that is widened.

    Returns
    -------
    Strictly ascending, shape ``(21,)``.

    Examples
    --------
    >>> find_edges(0, 10)[:3]
    array([0. , 0.5, 1. ])
    >>> find_edges(7, 7)[[0, -1]]
    array([6.5, 7.5])
    """
    # Neighbouring edges must differ as floating-point numbers, or a bin would be empty for want of numbers.
    if high - low <= N_BINS * np.spacing(max(abs(low), abs(high))):
        reach = max(0.5, N_BINS * float(np.spacing(max(abs(low), abs(high)))))
        low, high = low - reach, high + reach
    return np.linspace(low, high, N_BINS + 1)


def _draw_bars(
    edges: NDArray[np.float64], counts: NDArray[np.int64], n_rows: int, as_share: bool, place: int, n_sets: int
) -> dict[str, Any]:
    """Describe the bars of one set; several sets share the width of a bin."""
    width = np.diff(edges) / n_sets
    return {
        "x": edges[:-1] + place * width,
        "y": counts / n_rows if as_share else counts,
        "width": width,
        "offset": 0,
        "customdata": np.column_stack([edges[:-1], edges[1:], counts, counts / n_rows]),
        "hovertemplate": HOVER,
    }


def add_view_buttons(figure: go.Figure, views: list[str], n_sets: int, logarithmic: bool) -> None:
    """Let the reader choose the view, and the scale of the other axis.

    Parameters
    ----------
    figure
        Holds the bars of each set in the first view, then those in the next one.
    views
        What they are called.
    n_sets
        How many sets of rows are drawn.
    logarithmic
        Which scale the figure starts with.
    """
    rows = [scale_buttons(figure, logarithmic)]
    if len(views) > 1:
        shown: dict[str, list[dict[str, Any]]] = {
            view: [
                {"visible": [view == other for other in views for _ in range(n_sets)]},
                {"xaxis.autorange": True, "yaxis.autorange": True},
            ]
            for view in views
        }
        rows.append(buttons(shown, indent=WIDTH_OF_SCALES))
    figure.update_layout(updatemenus=rows)
