"""Figures of two models with their intervals, one above the other."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from training.figures.style import colour_of, new_figure

_HOVER = "%{y}: %{x:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})"


def intervals_figure(
    title: str, subtitle: str, models: Mapping[str, Mapping[str, tuple[float, float, float]]], unit: str
) -> go.Figure:
    """Draw each figure as a point on its interval.

    Parameters
    ----------
    title, subtitle
        Plain text.
    models
        By the model's name ("live", "candidate" or "difference"), for each figure's name its value and both ends.
    unit
        What the axis measures.
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
