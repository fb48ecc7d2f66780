"""Buttons that let the reader choose between a linear and a logarithmic axis."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from training.figures.style import buttons

# Pixels that the two buttons take.
WIDTH_OF_SCALES = 122

# On a logarithmic axis a label at each power of ten is enough.
_SCALES: dict[str, dict[str, Any]] = {
    "Linear": {"type": "linear", "dtick": None},
    "Log": {"type": "log", "dtick": 1},
}


def scale_buttons(figure: go.Figure, logarithmic: bool) -> dict[str, Any]:
    """Give the y axis its scale, and make the buttons that change it.

    Parameters
    ----------
    figure
        Its axis is changed.
    logarithmic
        Which scale it starts with.
    """
    choices: dict[str, list[dict[str, Any]]] = {
        label: [{}, {f"yaxis.{key}": value for key, value in scale.items()} | {"yaxis.autorange": True}]
        for label, scale in _SCALES.items()
    }
    figure.update_yaxes(_SCALES["Log" if logarithmic else "Linear"])
    return buttons(choices, active=int(logarithmic))
