"""Box plot of one feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from app.errors import count_of
from training.data.dataset import Dataset
from training.data.summary import Fences, find_fences
from training.figures.points import thin_values
from training.figures.style import ALL_ROWS, axis_name, buttons, colour_of, new_figure, pad_range, sets_of, shorten

# Maximum number of values outside the fences to draw; more would cover each other.
MAX_DRAWN_VALUES = 500

# In pixels: as high as a box, so that it looks like a fence.
_FENCE_HEIGHT = 44


def box_figure(training: Dataset, feature: str, test: Dataset | None = None) -> go.Figure:
    """Draw the quartiles of a feature, its fences, and the values outside; every row is counted.

    Parameters
    ----------
    training
        Training data.
    feature
        The feature to draw.
    test
        Test data, drawn below the training data.

    Returns
    -------
    A figure whose whiskers end at the last value within the fences, and whose subtitle says how many rows lie
    outside them.
    """
    sets = sets_of(training, test)
    fences = {name: find_fences(data.column(feature)) for name, data in sets.items()}
    figure = new_figure(
        shorten(feature),
        "outside the fences: "
        + ", ".join(_count_outside(name, fences[name], len(data)) for name, data in sets.items()),
        xaxis={"title": {"text": axis_name(feature)}},
        yaxis={"autorange": "reversed"},
        showlegend=False,
    )
    for name, data in sets.items():
        _add_box(figure, name, fences[name])
        _add_fences(figure, name, fences[name])
        _add_values_outside(figure, name, fences[name], data.column(feature))
    _add_buttons(figure, list(fences.values()))
    return figure


def _count_outside(name: str, box: Fences, n_rows: int) -> str:
    """Describe how many rows are outside the fences."""
    return f"{count_of(box.n_outside, f'{name} row')} ({box.n_outside / n_rows:.2%})"


def _add_box(figure: go.Figure, name: str, box: Fences) -> None:
    """Draw a box from its figures only."""
    figure.add_box(
        q1=[box.lower_quartile],
        median=[box.median],
        q3=[box.upper_quartile],
        lowerfence=[box.low_whisker],
        upperfence=[box.high_whisker],
        y=[name],
        orientation="h",
        marker_color=colour_of(name),
        name=name,
    )


def _add_fences(figure: go.Figure, name: str, box: Fences) -> None:
    """Draw both fences."""
    figure.add_scatter(
        x=[box.low, box.high],
        y=[name, name],
        mode="markers",
        marker={
            "symbol": "line-ns",
            "size": _FENCE_HEIGHT,
            "line": {"color": colour_of(name), "width": 1.5},
            "opacity": 0.5,
        },
        text=[f"{count_of(box.n_below, 'row')} below", f"{count_of(box.n_above, 'row')} above"],
        hovertemplate="fence %{x}<br>%{text}<extra></extra>",
    )


def _add_values_outside(figure: go.Figure, name: str, box: Fences, values: NDArray[np.float64]) -> None:
    """Draw values outside the fences, thinned if there are very many."""
    outside = thin_values(values[(values < box.low) | (values > box.high)], MAX_DRAWN_VALUES)
    figure.add_scatter(
        x=outside,
        y=[name] * len(outside),
        mode="markers",
        marker={"color": colour_of(name), "size": 6, "opacity": 0.5},
        hovertemplate="%{x}<extra></extra>",
    )


def _add_buttons(figure: go.Figure, boxes: list[Fences]) -> None:
    """Add buttons to zoom in on the boxes, if values outside the fences compress them."""
    low, high = min(box.low for box in boxes), max(box.high for box in boxes)
    if low == high or not any(box.n_outside for box in boxes):
        return
    choices: dict[str, list[dict[str, Any]]] = {
        ALL_ROWS: [{}, {"xaxis.autorange": True}],
        "Between the fences": [{}, {"xaxis.range": pad_range(low, high), "xaxis.autorange": False}],
    }
    figure.update_layout(updatemenus=[buttons(choices)])
