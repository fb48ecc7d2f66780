"""Shares of the bins of the population stability index, before and after."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from training.figures.style import axis_name, colour_of, new_figure, shorten
from training.stability_index import Stability

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
