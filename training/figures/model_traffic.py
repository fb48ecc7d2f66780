"""What two models say of the same traffic: the share of outliers day by day, and how scores are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from training.figures.scale_buttons import scale_buttons
from training.figures.style import colour_of, new_figure

# So that where both models have rows, both are seen.
_OPACITY = 0.55


def daily_shares_figure(days: Sequence[str], shares: Mapping[str, Sequence[float]], rows: Sequence[float]) -> go.Figure:
    """Draw the share of rows that each model flags, day by day.

    Parameters
    ----------
    days
        Names of the days, in their order.
    shares
        By the model's name ("live" and "candidate") one share for each day, in [0, 1].
    rows
        How many rows were answered each day.
    """
    figure = new_figure(
        "Outliers day by day",
        "share of rows that each model flags, days in UTC",
        # A day is a name here, not a moment: the first and the last one may be parts of days.
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
    """Draw how scores of the live model and of the candidate are spread, and where each draws its line.

    Parameters
    ----------
    edges
        Between which scores rows were counted, ascending.
    counts
        Rows between them, of the live model and of the candidate; shape ``(2, len(edges) - 1)``.
    offsets
        The scores below which each flags a row.
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
        # Empty bins at both ends would press the others together.
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
