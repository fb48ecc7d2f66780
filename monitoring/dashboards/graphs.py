"""Lines over time."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import LineStyle, StackingConfig, VizLegendOptions, VizTooltipOptions
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    GraphGradientMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import ALARM_LINE, ALERTS_ABOVE, ALERTS_BELOW
from monitoring.dashboards.queries import PROMETHEUS, lettered

# Percent. An area says how much of something there is, so it begins at 0 or is not drawn.
_FILL, _FILL_STACKED = 8, 25

_LEGEND_BELOW = (
    VizLegendOptions()
    .display_mode(LegendDisplayMode.LIST)
    .placement(LegendPlacement.BOTTOM)
    .show_legend(True)
    .calcs(["lastNotNull"])
)
_LEGEND_BESIDE = (
    VizLegendOptions()
    .display_mode(LegendDisplayMode.TABLE)
    .placement(LegendPlacement.RIGHT)
    .show_legend(True)
    .calcs(["lastNotNull", "max"])
    .sort_by("Last *")
    .sort_desc(True)
)

# A limit is no measurement: dashed, without an area below, never part of a stack, and the colour of danger.
_DASHED = [
    colours.fixed(colours.LIMIT),
    DynamicConfigValue("custom.lineStyle", LineStyle().fill("dash").dash([8, 8]).build()),
    DynamicConfigValue("custom.lineWidth", 1),
    DynamicConfigValue("custom.fillOpacity", 0),
    DynamicConfigValue("custom.stacking", {"mode": "none", "group": "limit"}),
]


def graph(
    title: str,
    description: str,
    unit: str,
    *queries: Dataquery,
    decimals: int | None = None,
    stacked: bool = False,
    from_zero: bool = True,
    at_least: float | None = None,
    wide: bool = False,
) -> timeseries.Panel:
    """Draw lines over time.

    Parameters
    ----------
    title, description
        Shown above and on hover.
    unit
        One of Grafana's; see ``grafana_foundation_sdk.models.units``.
    queries
        One line or more each; those of ``alert_line`` and ``alarm_line`` are drawn dashed.
    decimals
        Digits after the point, where Grafana's choice is not wanted.
    stacked
        Whether the lines add up to something.
    from_zero
        Whether 0 is always in sight, so that a wiggle does not look like a mountain.
    at_least
        A value that is always in sight, where lines are usually at 0 and Grafana would draw a scale up to 100.
    wide
        Whether there is room for a legend beside the lines, with last and largest values; else it is below.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .targets(lettered(queries))
        .line_width(2)
        .fill_opacity(_FILL_STACKED if stacked else _FILL if from_zero else 0)
        .gradient_mode(GraphGradientMode.OPACITY)
        .show_points(VisibilityMode.NEVER)
        .legend(_LEGEND_BESIDE if wide else _LEGEND_BELOW)
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if stacked:
        panel = panel.stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if from_zero:
        panel = panel.min(0)
    if at_least is not None:
        panel = panel.axis_soft_max(at_least)
    if decimals is not None:
        panel = panel.decimals(decimals)
    for line, colour in colours.OF_LINES.items():
        if any(_may_be_called(query, line) for query in queries):
            panel = panel.override_by_name(line, [colours.fixed(colour)])
    for line in (ALERTS_ABOVE, ALERTS_BELOW, ALARM_LINE):
        if any(query.build().legend_format == line for query in queries):
            panel = panel.override_by_name(line, _DASHED)
    return panel


def _may_be_called(query: Dataquery, line: str) -> bool:
    """Tell whether a line of a query may have a name: it is the legend, or the legend is a label's value."""
    legend = query.build().legend_format or ""
    return legend == line or legend in ("{{status}}", "{{class_name}}", "{{result}}", "{{detector}}")
