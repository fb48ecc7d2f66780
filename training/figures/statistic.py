"""A detector's statistic against its threshold, row by row."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from app.drift.detector import Kind
from training.drift.replay import DetectorReplay
from training.figures.points import thin_curve
from training.figures.style import as_text, new_figure, scale_buttons

# More points would not be visible at the width of a screen.
_MAX_POINTS = 4000

# If the statistic exceeds its threshold by this factor, the threshold would be at the bottom of a linear axis.
_LOGARITHMIC_FROM = 10

# A logarithmic axis has no 0; nobody reads values so far below the threshold.
_MIN_SHOWN_RATIO = 0.01

_CURVE, _LINE, _DRIFT = "#1f5fa8", "#1f2933", "#d9730d"

_MARKS = {
    Kind.ALARM: {"symbol": "triangle-down-open", "size": 10, "color": "#d9730d", "line": {"width": 2}},
    Kind.EVENT: {"symbol": "diamond", "size": 13, "color": "#b3261e"},
}

# A browser has to draw every mark; the page lists the others.
_MAX_MARKS = 1000


def statistic_figure(name: str, subtitle: str, detector: DetectorReplay, first_row: int) -> go.Figure:
    """Draw the statistic in units of the threshold, with signals, events and the duration of drifts.

    Parameters
    ----------
    name, subtitle
        The detector, and what it monitors, as plain text.
    detector
        Its result.
    first_row
        The row at which the window was full for the first time.
    """
    ratios = detector.ratios
    rows = np.arange(first_row, first_row + len(ratios))
    figure = new_figure(
        name,
        subtitle,
        xaxis={"title": {"text": "row"}, "tickformat": ","},
        yaxis={"title": {"text": "statistic / threshold"}},
    )
    marks = {kind: [finding for finding in detector.findings if finding.kind is kind][:_MAX_MARKS] for kind in _MARKS}
    # Marks have no hover text of their own: the curve shows it at their rows.
    texts = {finding.row: as_text(f"{kind} {finding.feature}") for kind in marks for finding in marks[kind]}
    drawn = np.union1d(thin_curve(ratios, _MAX_POINTS), np.array(list(texts), np.int64) - first_row)
    figure.add_scatter(
        x=rows[drawn],
        y=np.maximum(ratios[drawn], _MIN_SHOWN_RATIO),
        customdata=ratios[drawn],
        text=[texts.get(row, "") for row in rows[drawn].tolist()],
        hovertemplate="row %{x:,}: %{customdata:.3g}<br>%{text}<extra></extra>",
        mode="lines",
        line={"color": _CURVE, "width": 1},
        name="statistic",
    )
    figure.add_scatter(
        x=[rows[0], rows[-1]],
        y=[1, 1],
        hoverinfo="skip",
        mode="lines",
        line={"color": _LINE, "width": 1.5, "dash": "dash"},
        name="threshold",
    )
    for kind, found in marks.items():
        figure.add_scatter(
            x=[finding.row for finding in found],
            y=[max(ratios[finding.row - first_row], _MIN_SHOWN_RATIO) for finding in found],
            hoverinfo="skip",
            mode="markers",
            marker=_MARKS[kind],
            name=f"{kind}s",
        )
    figure.update_layout(
        shapes=[
            {
                "type": "rect",
                "xref": "x",
                "yref": "paper",
                "x0": first,
                "x1": last,
                "y0": 0,
                "y1": 1,
                "fillcolor": _DRIFT,
                "opacity": 0.15,
                "line": {"width": 0},
                "layer": "below",
            }
            for first, last in detector.drifts
        ],
        updatemenus=[scale_buttons(figure, logarithmic=bool(ratios.max() > _LOGARITHMIC_FROM))],
    )
    return figure
