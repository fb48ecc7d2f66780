"""How all figures look, and the names and sets of rows that they show."""

from __future__ import annotations

import html
from typing import Any

import plotly.graph_objects as go

from training.dataset import Dataset

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
_LONGEST_NAME = 32

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


def shorten(name: str, longest: int = _LONGEST_NAME) -> str:
    """Cut a feature's name to what an axis has room for.

    Examples
    --------
    >>> shorten("credits spent on the first day after the sign-up")
    'credits spent on the first day …'
    """
    return name if len(name) <= longest else name[: longest - 1] + "…"


def axis_name(name: str, longest: int = _LONGEST_NAME) -> str:
    """Name an axis after a feature, which may be called anything."""
    return as_text(shorten(name, longest))
