"""The common style of all figures, with buttons for the scale of an axis and for a closer view of heavy-tailed data."""

from __future__ import annotations

import html
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from training.data.dataset import Dataset

# Nearly everybody can distinguish blue and orange, even people who cannot see red or green.
_BLUE, _ORANGE = "#1f5fa8", "#d9730d"

_GRID, _INK, _PAPER = "#e4e7eb", "#1f2933", "#ffffff"

# The reference is blue, what is compared with it orange.
_COLOURS = {
    **dict.fromkeys(("training", "reference", "live"), _BLUE),
    **dict.fromkeys(("test", "current", "candidate"), _ORANGE),
    "difference": _INK,
}

# Longer names would overlap at the axes.
_MAX_NAME_LENGTH = 32

_AXIS = {
    "gridcolor": _GRID,
    "zerolinecolor": _GRID,
    "linecolor": _INK,
    "showline": True,
    "automargin": True,
    # Plotly would write 3B for 3e9, unlike the file.
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
        # In pixels: the height in a page, since a notebook would make figures flatter.
        "height": 450,
        "margin": {"l": 60, "r": 20, "t": 110, "b": 80},
    }
)


def new_figure(title: str, subtitle: str = "", **layout: Any) -> go.Figure:
    """Create a figure.

    Parameters
    ----------
    title, subtitle
        Plain text.
    layout
        Other arguments of Plotly's layout.
    """
    return go.Figure(
        layout={
            "template": _TEMPLATE,
            "title": {"text": as_text(title), "subtitle": {"text": as_text(subtitle)}},
            **layout,
        }
    )


def buttons(choices: dict[str, list[dict[str, Any]]], active: int = 0, indent: int = 0) -> dict[str, Any]:
    """Create a row of buttons above a figure.

    Parameters
    ----------
    choices
        For each label, the arguments of Plotly's ``update``: changes of the traces and of the layout.
    active
        Number of the initial choice.
    indent
        Distance from the left end of the axis, in pixels.
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
    """Return the sets of rows by name, the training rows first."""
    return {"training": training} | ({"test": test} if test is not None else {})


def colour_of(set_name: str) -> str:
    """Return a set's colour, the same in every figure."""
    return _COLOURS[set_name]


def as_text(text: str) -> str:
    """Escape plain text, so that Plotly finds neither markup nor placeholders in it.

    Examples
    --------
    >>> as_text("spent < 10")
    'spent &lt; 10'
    """
    # A zero-width space breaks what would be a placeholder in hover text.
    return html.escape(text, quote=False).replace("%{", "%\u200b{")


def shorten(name: str, longest: int = _MAX_NAME_LENGTH) -> str:
    """Truncate a feature's name to the length that fits an axis.

    Examples
    --------
    >>> shorten("credits spent on the first day after the sign-up")
    'credits spent on the first day …'
    """
    return name if len(name) <= longest else name[: longest - 1] + "…"


def axis_name(name: str, longest: int = _MAX_NAME_LENGTH) -> str:
    """Return the title of a feature's axis; the feature may have any name."""
    return as_text(shorten(name, longest))


ALL_ROWS, MIDDLE = "All rows", "Middle 98 %"

_MIDDLE_QUANTILES = (0.01, 0.99)

# A detail view is useless if it shows nearly everything: it is offered if its width is at most this share.
_MAX_ZOOM_SHARE = 0.75

# Share of the width, on both sides, so that points on the border are not cut off.
_PADDING = 0.03


def find_middle(*sets: NDArray[np.float64]) -> tuple[float, float] | None:
    """Find the range from the first to the last percentile of values.

    Parameters
    ----------
    sets
        Each of shape ``(n_rows,)``, finite; of several sets, the lowest first and the highest last percentile are used.

    Returns
    -------
    Lowest and highest value of the closer view; None if it would show nearly all of the range, or nothing.

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
    return (low, high) if 0 < high - low <= _MAX_ZOOM_SHARE * whole else None


def pad_range(low: float, high: float) -> list[float]:
    """Widen a range a little, also if it is a single point."""
    padding = _PADDING * (high - low) or max(abs(low) * _PADDING, _PADDING)
    return [low - padding, high + padding]


# Width of the two buttons, in pixels.
WIDTH_OF_SCALES = 122

# On a logarithmic axis a label at each power of ten is enough.
_SCALES: dict[str, dict[str, Any]] = {
    "Linear": {"type": "linear", "dtick": None},
    "Log": {"type": "log", "dtick": 1},
}


def scale_buttons(figure: go.Figure, logarithmic: bool) -> dict[str, Any]:
    """Set the scale of the y axis, and return the buttons that change it.

    Parameters
    ----------
    figure
        The figure to change.
    logarithmic
        Whether it starts with the logarithmic scale.
    """
    choices: dict[str, list[dict[str, Any]]] = {
        label: [{}, {f"yaxis.{key}": value for key, value in scale.items()} | {"yaxis.autorange": True}]
        for label, scale in _SCALES.items()
    }
    figure.update_yaxes(_SCALES["Log" if logarithmic else "Linear"])
    return buttons(choices, active=int(logarithmic))
