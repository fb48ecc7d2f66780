"""Bars of how much each column matters to a model."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from training.figures.style import axis_name, colour_of, new_figure

# More bars cannot be read; the table beside the figure has all columns.
MAX_BARS = 20


def importance_figure(importance: pd.DataFrame) -> go.Figure:
    """Draw two bars for each column.

    Parameters
    ----------
    importance
        A row for each column of the data, the most important first, with the columns ``outliers`` and ``all rows``.
    """
    drawn = importance.head(MAX_BARS)
    figure = new_figure(
        "Importance",
        f"the first {MAX_BARS} of {len(importance)} columns"
        if len(importance) > MAX_BARS
        else "mean absolute contribution",
        xaxis={"title": {"text": "mean absolute contribution to log2(-anomaly_score)"}, "rangemode": "tozero"},
        # By number: two long names may be equal once they are shortened.
        yaxis={
            "autorange": "reversed",
            "tickvals": list(range(len(drawn))),
            "ticktext": [axis_name(str(column)) for column in drawn.index],
        },
        barmode="group",
    )
    for name, colour in (("outliers", "current"), ("all rows", "reference")):
        figure.add_bar(
            x=drawn[name].tolist(),
            y=list(range(len(drawn))),
            orientation="h",
            name=name,
            marker_color=colour_of(colour),
            hovertemplate="%{x:.4f}<extra>" + name + "</extra>",
        )
    return figure
