"""Histograms of one feature: in training and test data, in two files to compare, and in the bins of the PSI."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from training.data.dataset import Dataset
from training.drift.psi import Stability
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

# Few enough to be read one by one, however many rows there are.
N_BINS = 20

# If one bar has more than this share of the rows, the others are hardly visible on a linear axis.
_DOMINANT_SHARE = 0.8

_HOVER = "%{customdata[0]:.6g} to %{customdata[1]:.6g}<br>%{customdata[2]:,} rows (%{customdata[3]:.3%})"

# For the bins of the population stability index, which are described in words.
_BIN_HOVER = "%{customdata[0]}<br>%{customdata[1]:,} rows (%{y:.3%})"

# So that both sets are visible where both have rows.
_OPACITY = 0.55


def histogram_figure(training: Dataset, feature: str, test: Dataset | None = None) -> go.Figure:
    """Draw a histogram of a feature in 20 bins; every row is counted.

    Parameters
    ----------
    training
        Training data.
    feature
        The feature to draw.
    test
        Test data; if given, the bars show shares instead of numbers of rows, since the sets differ in size.

    Returns
    -------
    A figure with buttons for a logarithmic axis and, if a few far values compress the others, for 20 bins of the middle
    98 % of the training rows.
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
                logarithmic |= _DOMINANT_SHARE < counts.max() / len(values) < 1
            bars = _draw_bars(edges, counts, len(values), test is not None, place, len(columns))
            colour = colour_of(name)
            figure.add_bar(**bars, name=name, marker_color=colour, visible=view == ALL_ROWS)
    _add_view_buttons(figure, list(views), len(columns), logarithmic)
    return figure


def overlay_figure(reference: Dataset, current: Dataset, feature: str, subtitle: str = "") -> go.Figure:
    """Draw histograms of a feature in two files, in 20 bins; every row is counted.

    Parameters
    ----------
    reference, current
        The compared files.
    feature
        The feature to draw.
    subtitle
        Subtitle, as plain text.

    Returns
    -------
    A figure with buttons for a logarithmic axis and, if a few far values compress the others, for 20 bins of the middle
    98 % of the rows.
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
            logarithmic |= view == ALL_ROWS and bool(_DOMINANT_SHARE < shares.max() < 1)
            figure.add_bar(
                x=edges[:-1],
                y=shares,
                width=np.diff(edges),
                offset=0,
                customdata=np.column_stack([edges[:-1], edges[1:], counts, shares]),
                hovertemplate=_HOVER,
                name=name,
                marker={"color": colour_of(name), "line": {"width": 0}},
                opacity=_OPACITY,
                visible=view == ALL_ROWS,
            )
    _add_view_buttons(figure, list(views), len(columns), logarithmic)
    return figure


def stability_figure(feature: str, stability: Stability, labels: Sequence[str] = ()) -> go.Figure:
    """Draw the share of each file's rows in each bin of the PSI; bins are drawn equally wide.

    Parameters
    ----------
    feature
        Name of the feature.
    stability
        Counts in its bins.
    labels
        What the bins are; by default, ranges of numbers.
    """
    figure = new_figure(
        shorten(feature),
        f"PSI {stability.index:.3g}, threshold {stability.threshold:.3g}",
        barmode="group",
        xaxis={"title": {"text": axis_name(feature)}},
        yaxis={"title": {"text": "share of rows"}, "tickformat": ".3~%"},
    )
    labels = [shorten(label) for label in labels] or _label_bins(stability.bins.tolist())
    numbers = list(range(len(labels)))
    for name, counts in {"reference": stability.reference, "current": stability.current}.items():
        figure.add_bar(
            x=numbers,
            y=counts / counts.sum(),
            customdata=np.column_stack([np.array(labels, object), counts]),
            hovertemplate=_BIN_HOVER,
            name=name,
            marker_color=colour_of(name),
        )
    # Slanted, so that none of the eleven labels covers another.
    figure.update_xaxes(tickvals=numbers, ticktext=labels, tickangle=-40, tickfont={"size": 11})
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
    # Neighbouring edges must differ as floating-point numbers, or there would be no numbers between them.
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
        "hovertemplate": _HOVER,
    }


def _add_view_buttons(figure: go.Figure, views: list[str], n_sets: int, logarithmic: bool) -> None:
    """Add buttons for the view and for the scale of the y axis.

    Parameters
    ----------
    figure
        Figure with the bars of each set in the first view, then those in the next one.
    views
        Names of the views.
    n_sets
        Number of sets of rows.
    logarithmic
        Whether the figure starts with the logarithmic scale.
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


def _label_bins(bins: list[float]) -> list[str]:
    """Describe the values of each bin.

    Examples
    --------
    >>> _label_bins([0.5, 2.0, float(np.nextafter(2, 3))])
    ['below 0.5', '0.5 to 2', '2', 'above 2']
    """
    pairs = pairwise(bins)
    between = [f"{low:.4g}" if high == np.nextafter(low, np.inf) else f"{low:.4g} to {high:.4g}" for low, high in pairs]
    last = "above" if len(bins) > 1 and bins[-1] == np.nextafter(bins[-2], np.inf) else "from"
    return [f"below {bins[0]:.4g}", *between, f"{last} {bins[-1]:.4g}"]
