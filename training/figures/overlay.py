"""Histograms of one feature in two files, drawn over each other."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from training.dataset import Dataset
from training.figures.histogram import HOVER, OVERWHELMING, add_view_buttons, find_edges
from training.figures.middle_view import ALL_ROWS, MIDDLE, find_middle
from training.figures.style import axis_name, colour_of, new_figure, shorten

# So that where both sets have rows, both are seen.
_OPACITY = 0.55


def overlay_figure(reference: Dataset, current: Dataset, feature: str, subtitle: str = "") -> go.Figure:
    """Draw which share of each file's rows lies in each of 20 bins; every row is counted.

    Parameters
    ----------
    reference, current
        What is compared.
    feature
        One of their features.
    subtitle
        What there is to say of it, as plain text.

    Returns
    -------
    A figure with buttons for a logarithmic axis and, where a few far values press the others together, for 20 bins of
    the middle 98 % of the rows.
    """
    columns = {"reference": reference.column(feature), "current": current.column(feature)}
    every = np.concatenate([[values.min(), values.max()] for values in columns.values()])
    views = {ALL_ROWS: (float(every.min()), float(every.max()))}
    if middle := find_middle(*columns.values()):
        views[MIDDLE] = middle
    figure = new_figure(
        shorten(feature),
        subtitle,
        barmode="overlay",
        xaxis={"title": {"text": axis_name(feature)}},
        yaxis={"title": {"text": "share of rows"}, "tickformat": ".3~%"},
    )
    logarithmic = False
    for view, (low, high) in views.items():
        edges = find_edges(low, high)
        for name, values in columns.items():
            counts = np.histogram(values, edges)[0]
            shares = counts / len(values)
            logarithmic |= view == ALL_ROWS and bool(OVERWHELMING < shares.max() < 1)
            figure.add_bar(
                x=edges[:-1],
                y=shares,
                width=np.diff(edges),
                offset=0,
                customdata=np.column_stack([edges[:-1], edges[1:], counts, shares]),
                hovertemplate=HOVER,
                name=name,
                marker={"color": colour_of(name), "line": {"width": 0}},
                opacity=_OPACITY,
                visible=view == ALL_ROWS,
            )
    add_view_buttons(figure, list(views), len(columns), logarithmic)
    return figure
