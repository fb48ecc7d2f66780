"""Figures that compare two models: quality with intervals, the daily share of outliers, and the scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from training.figures.style import colour_of, new_figure, scale_buttons

_HOVER = "%{y}: %{x:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})"


def intervals_figure(
    title: str, subtitle: str, models: Mapping[str, Mapping[str, tuple[float, float, float]]], unit: str
) -> go.Figure:
    """Draw each value as a point on its interval.

    Parameters
    ----------
    title, subtitle
        Plain text.
    models
        For each model ("live", "candidate" or "difference"), the value and both ends by the name of the figure.
    unit
        Title of the axis.
    """
    figure = new_figure(
        title,
        subtitle,
        xaxis={"title": {"text": unit}},
        # The first figure on top, as in the table.
        yaxis={"autorange": "reversed"},
        scattermode="group",
        scattergap=0.6,
        showlegend=len(models) > 1,
        height=360,
    )
    figure.add_vline(0, line={"width": 1.5})
    for model, figures in models.items():
        values, lows, highs = zip(*figures.values(), strict=True)
        figure.add_scatter(
            x=values,
            y=list(figures),
            customdata=list(zip(lows, highs, strict=True)),
            hovertemplate=_HOVER,
            error_x={
                "array": [high - value for value, high in zip(values, highs, strict=True)],
                "arrayminus": [value - low for value, low in zip(values, lows, strict=True)],
                "thickness": 2,
                "width": 6,
            },
            # Side by side, not on one another.
            orientation="h",
            offsetgroup=model,
            mode="markers",
            marker={"size": 11, "color": colour_of(model)},
            name=model,
        )
    return figure


# So that both models are visible where both have rows.
_OPACITY = 0.55


def daily_shares_figure(days: Sequence[str], shares: Mapping[str, Sequence[float]], rows: Sequence[float]) -> go.Figure:
    """Draw the share of rows that each model flags, day by day.

    Parameters
    ----------
    days
        Names of the days, in order.
    shares
        For each model ("live" and "candidate"), one share per day, in [0, 1].
    rows
        Number of rows answered each day.
    """
    figure = new_figure(
        "Outliers day by day",
        "share of rows that each model flags, days in UTC",
        # A day is a category here, not a point in time: the first and the last day may be incomplete.
        xaxis={"type": "category"},
        yaxis={"title": {"text": "share of rows"}, "tickformat": ".3~%", "rangemode": "tozero"},
    )
    for model, of_model in shares.items():
        figure.add_scatter(
            x=list(days),
            y=list(of_model),
            customdata=list(rows),
            hovertemplate="%{x}: %{y:.3%} of %{customdata:,.0f} rows",
            mode="lines+markers",
            line={"color": colour_of(model), "width": 2},
            marker={"size": 8},
            name=model,
        )
    return figure


def score_spread_figure(
    edges: NDArray[np.float64], counts: NDArray[np.float64], offsets: tuple[float, float]
) -> go.Figure:
    """Draw the distribution of the scores of the live model and of the candidate, with both thresholds.

    Parameters
    ----------
    edges
        Edges of the bins of scores, ascending.
    counts
        Rows in each bin, of the live model and of the candidate; shape ``(2, len(edges) - 1)``.
    offsets
        Thresholds of both models.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(
        "Scores",
        "left of its dashed line a model flags the rows",
        barmode="overlay",
        xaxis={"title": {"text": "score"}},
        yaxis={"title": {"text": "share of rows"}, "tickformat": ".3~%"},
    )
    for model, of_model, offset in zip(("live", "candidate"), shares, offsets, strict=True):
        # Empty bins at both ends would compress the others.
        seen = np.flatnonzero(counts.sum(axis=0))
        drawn = slice(seen[0], seen[-1] + 1) if len(seen) else slice(0)
        figure.add_bar(
            x=edges[:-1][drawn],
            y=of_model[drawn],
            width=np.diff(edges)[drawn],
            offset=0,
            hovertemplate="from %{x:.2f}: %{y:.3%}",
            marker={"color": colour_of(model), "line": {"width": 0}},
            opacity=_OPACITY,
            name=model,
        )
        figure.add_vline(offset, line={"color": colour_of(model), "width": 2, "dash": "dash"})
    figure.update_layout(updatemenus=[scale_buttons(figure, logarithmic=True)])
    return figure
