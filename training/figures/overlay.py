"""Histograms of one feature in two files, drawn over each other.

Shares of the bins of the population stability index, before and after.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from training.data.dataset import Dataset
from training.drift.psi import Stability
from training.figures.histogram import HOVER, OVERWHELMING, add_view_buttons, find_edges
from training.figures.style import ALL_ROWS, MIDDLE, axis_name, colour_of, find_middle, new_figure, shorten

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


_HOVER = "%{customdata[0]}<br>%{customdata[1]:,} rows (%{y:.3%})"


def stability_figure(feature: str, stability: Stability) -> go.Figure:
    """Draw the share of either file's rows in each bin; bins are equally wide, however far apart their ends are.

    Parameters
    ----------
    feature
        What the feature is called.
    stability
        Its bins.
    """
    figure = new_figure(
        shorten(feature),
        f"PSI {stability.index:.3g}, threshold {stability.threshold:.3g}",
        barmode="group",
        xaxis={"title": {"text": axis_name(feature)}},
        yaxis={"title": {"text": "share of rows"}, "tickformat": ".3~%"},
    )
    labels = _label_bins(stability.bins.tolist())
    numbers = list(range(len(labels)))
    for name, counts in {"reference": stability.reference, "current": stability.current}.items():
        figure.add_bar(
            x=numbers,
            y=counts / counts.sum(),
            customdata=np.column_stack([np.array(labels, object), counts]),
            hovertemplate=_HOVER,
            name=name,
            marker_color=colour_of(name),
        )
    # Slanted, so that none of eleven covers or replaces another.
    figure.update_xaxes(tickvals=numbers, ticktext=labels, tickangle=-40, tickfont={"size": 11})
    return figure


def _label_bins(bins: list[float]) -> list[str]:
    """Say which values each bin holds.

    Examples
    --------
    >>> _label_bins([0.5, 2.0, float(np.nextafter(2, 3))])
    ['below 0.5', '0.5 to 2', '2', 'above 2']
    """
    pairs = pairwise(bins)
    between = [f"{low:.4g}" if high == np.nextafter(low, np.inf) else f"{low:.4g} to {high:.4g}" for low, high in pairs]
    last = "above" if len(bins) > 1 and bins[-1] == np.nextafter(bins[-2], np.inf) else "from"
    return [f"below {bins[0]:.4g}", *between, f"{last} {bins[-1]:.4g}"]
