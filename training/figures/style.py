"""How all figures look, and the names and sets of rows that they show.

A closer view of heavy-tailed data: the middle 98 %, which a few far values press into a corner otherwise.

Buttons that let the reader choose between a linear and a logarithmic axis.
"""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from training.data.dataset import Dataset

# Blue and orange are told apart by nearly everybody, also those who see no red or no green.
_BLUE, _ORANGE = "#1f5fa8", "#d9730d"

_GRID, _INK, _PAPER = "#e4e7eb", "#1f2933", "#ffffff"

# What came first is blue, what is compared with it orange.
_COLOURS = {
    **dict.fromkeys(("training", "reference", "live"), _BLUE),
    **dict.fromkeys(("test", "current", "candidate"), _ORANGE),
    "difference": _INK,
}

# Longer names would cover each other at the axes.
_MAX_NAME = 32

_AXIS = {
    "gridcolor": _GRID,
    "zerolinecolor": _GRID,
    "linecolor": _INK,
    "showline": True,
    "automargin": True,
    # Plotly would write 3B for three thousand millions, which is not what stands in the file.
    "exponentformat": "e",
    "separatethousands": True,
}

_TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": _INK},
        "paper_bgcolor": _PAPER,
        "plot_bgcolor": _PAPER,
        "hoverlabel": {"align": "left"},
        "hovermode": "closest",
        "xaxis": _AXIS,
        "yaxis": _AXIS | {"title": {"standoff": 12}},
        # At the bottom, where it covers neither points nor buttons, however narrow the window is.
        "legend": {"orientation": "h", "x": 0, "yref": "container", "y": 0, "yanchor": "bottom"},
        "title": {"x": 0, "xref": "paper", "y": 1, "yanchor": "top", "pad": {"t": 16}, "font": {"size": 16}},
        # Pixels: what a page gives anyway, and a notebook would make flatter.
        "height": 450,
        "margin": {"l": 60, "r": 20, "t": 110, "b": 80},
    }
)


def new_figure(title: str, subtitle: str = "", **layout: Any) -> go.Figure:
    """Begin a figure.

    Parameters
    ----------
    title, subtitle
        Plain text.
    layout
        What else Plotly's layout takes.
    """
    return go.Figure(
        layout={
            "template": _TEMPLATE,
            "title": {"text": as_text(title), "subtitle": {"text": as_text(subtitle)}},
            **layout,
        }
    )


def buttons(choices: dict[str, list[dict[str, Any]]], active: int = 0, indent: int = 0) -> dict[str, Any]:
    """Make a row of buttons above a figure.

    Parameters
    ----------
    choices
        For each label the arguments of Plotly's ``update``: changes of the traces and of the layout.
    active
        Which choice the figure starts with.
    indent
        Pixels from the left end of the axis.
    """
    return {
        "type": "buttons",
        "direction": "right",
        "buttons": [{"label": label, "method": "update", "args": args} for label, args in choices.items()],
        "active": active,
        "showactive": True,
        "x": 0,
        "xanchor": "left",
        "y": 1,
        "yanchor": "bottom",
        "pad": {"t": 0, "b": 6, "l": indent, "r": 0},
        "font": {"size": 12},
    }


def sets_of(training: Dataset, test: Dataset | None) -> dict[str, Dataset]:
    """Name the sets of rows that are drawn, the training rows first."""
    return {"training": training} | ({"test": test} if test is not None else {})


def colour_of(set_name: str) -> str:
    """Tell a set's colour, the same in every figure."""
    return _COLOURS[set_name]


def as_text(text: str) -> str:
    """Keep Plotly from reading mark-up or a placeholder into plain text.

    Examples
    --------
    >>> as_text("spent < 10")
    'spent &lt; 10'
    """
    # A space without width parts what would be a placeholder in the text beside the mouse.
    return html.escape(text, quote=False).replace("%{", "%\u200b{")


def shorten(name: str, longest: int = _MAX_NAME) -> str:
    """Cut a feature's name to what an axis has room for.

    Examples
    --------
    >>> shorten("credits spent on the first day after the sign-up")
    'credits spent on the first day …'
    """
    return name if len(name) <= longest else name[: longest - 1] + "…"


def axis_name(name: str, longest: int = _MAX_NAME) -> str:
    """Name an axis after a feature, which may be called anything."""
    return as_text(shorten(name, longest))


ALL_ROWS, MIDDLE = "All rows", "Middle 98 %"

_MIDDLE_QUANTILES = (0.01, 0.99)

# A closer view that shows nearly everything is no help: it is offered where it is at most this share as wide.
_WORTH_A_LOOK = 0.75

# Of the width, on both sides, so that points on the border are seen whole.
_PADDING = 0.03


def find_middle(*sets: NDArray[np.float64]) -> tuple[float, float] | None:
    """Find the range from the first to the last percentile of values.

    Parameters
    ----------
    sets
        Each of shape ``(n_rows,)``, finite; of several sets, the smallest first and the largest last percentile count.

    Returns
    -------
    Lowest and highest value of the closer view; None if all or nearly all of the range would be left, or nothing.

    Examples
    --------
    >>> find_middle(np.append(np.arange(1000.0), 50_000))
    (10.0, 990.0)
    >>> find_middle(np.arange(1000.0)) is None
    True
    """
    lows, highs = np.array([np.quantile(values, _MIDDLE_QUANTILES) for values in sets]).T
    low, high = float(lows.min()), float(highs.max())
    whole = max(float(values.max()) for values in sets) - min(float(values.min()) for values in sets)
    return (low, high) if 0 < high - low <= _WORTH_A_LOOK * whole else None


def pad_range(low: float, high: float) -> list[float]:
    """Widen a range a little, or to something that is no single point."""
    padding = _PADDING * (high - low) or max(abs(low) * _PADDING, _PADDING)
    return [low - padding, high + padding]


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
