"""Time series panels."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.common import (
    LineStyle,
    ScaleDistributionConfig,
    StackingConfig,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    GraphGradientMode,
    LegendDisplayMode,
    LegendPlacement,
    ScaleDistribution,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import ALERTS_ABOVE, ALERTS_BELOW, DRIFT_THRESHOLD
from monitoring.dashboards.queries import PROMETHEUS, with_ref_ids

# Percent. An area represents an amount, so it is only drawn from 0.
_FILL, _FILL_STACKED = 8, 25

_LEGEND_BELOW = (
    VizLegendOptions()
    .display_mode(LegendDisplayMode.LIST)
    .placement(LegendPlacement.BOTTOM)
    .show_legend(True)
    .calcs(["lastNotNull"])
)
_LEGEND_RIGHT = (
    VizLegendOptions()
    .display_mode(LegendDisplayMode.TABLE)
    .placement(LegendPlacement.RIGHT)
    .show_legend(True)
    .calcs(["lastNotNull", "max"])
    .sort_by("Last *")
    .sort_desc(True)
)

# A threshold is not a measurement: it is dashed and red, without an area, and never part of a stack.
_THRESHOLD_STYLE = [
    colours.fixed(colours.THRESHOLD),
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
    soft_max: float | None = None,
    legend_right: bool = False,
    logarithmic: bool = False,
) -> timeseries.Panel:
    """Return a panel with lines over time.

    Parameters
    ----------
    title, description
        Shown above the graph and on hover.
    unit
        One of Grafana's units; see ``grafana_foundation_sdk.models.units``.
    queries
        One or more lines each; those of ``alert_line`` and ``drift_threshold_line`` are dashed.
    decimals
        Digits after the decimal point; chosen by Grafana by default.
    stacked
        Whether lines are stacked.
    from_zero
        Whether the axis starts at 0, so that noise does not look like a large change.
    soft_max
        The axis extends at least to this value. Without it, Grafana scales a line at 0 up to 100.
    legend_right
        Whether the legend is a table on the right, with last and largest values; otherwise it is a list below.
    logarithmic
        Whether the axis is logarithmic, for values that a spike would flatten; it then does not start at 0.
    """
    from_zero = from_zero and not logarithmic
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .targets(with_ref_ids(queries))
        .line_width(2)
        .fill_opacity(_FILL_STACKED if stacked else _FILL if from_zero else 0)
        .gradient_mode(GraphGradientMode.OPACITY)
        .show_points(VisibilityMode.NEVER)
        .legend(_LEGEND_RIGHT if legend_right else _LEGEND_BELOW)
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if stacked:
        panel = panel.stacking(StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if logarithmic:
        panel = panel.scale_distribution(ScaleDistributionConfig().type(ScaleDistribution.LOG).log(10))
    if from_zero:
        panel = panel.min(0)
    if soft_max is not None:
        panel = panel.axis_soft_max(soft_max)
    if decimals is not None:
        panel = panel.decimals(decimals)
    for legend, colour in colours.BY_LEGEND.items():
        if any(_may_have_legend(query, legend) for query in queries):
            panel = panel.override_by_name(legend, [colours.fixed(colour)])
    if any((query.build().legend_format or "").endswith(("{{status}}", "{{code}}")) for query in queries):
        for status, colour in colours.BY_STATUS.items():
            panel = panel.override_by_regexp(f"/(^| ){status}$/", [colours.shades(colour)])
    for legend in (ALERTS_ABOVE, ALERTS_BELOW, DRIFT_THRESHOLD):
        if any(query.build().legend_format == legend for query in queries):
            panel = panel.override_by_name(legend, _THRESHOLD_STYLE)
    return panel


def _may_have_legend(query: Dataquery, legend: str) -> bool:
    """Return whether a line of a query can have a legend, literally or as the value of a label."""
    legend_format = query.build().legend_format or ""
    return legend_format == legend or legend_format in ("{{status}}", "{{class_name}}", "{{result}}", "{{detector}}")
