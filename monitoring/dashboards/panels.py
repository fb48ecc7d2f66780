"""The kinds of panels that dashboards are made of, each looking the same wherever it stands.

Every panel has a title, a description that says what is seen and when to worry, and a unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import bargauge, gauge, stat, table, text, timeseries
from grafana_foundation_sdk.builders.common import (
    LineStyle,
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
    VizTextDisplayOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery as AnyQuery
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphGradientMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import ALERTS_ABOVE, ALERTS_BELOW, neither_good_nor_bad
from monitoring.dashboards.queries import PROMETHEUS

PanelBuilder = timeseries.Panel | stat.Panel | gauge.Panel | bargauge.Panel | table.Panel | text.Panel

# Pixels; a number of this size is read from the other end of a room.
_WALL_VALUE, _WALL_NAME = 90, 38

_LAST = ReduceDataOptions().calcs(["lastNotNull"])

# Percent. An area says how much of something there is, so it begins at 0 or is not drawn.
_FILL, _FILL_STACKED = 8, 25

# Pixels, so that few bars are not labelled larger than many.
_BAR_TEXT = VizTextDisplayOptions().title_size(14).value_size(18)

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
        One line or more each; those of ``alert_line`` are drawn dashed.
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
        .targets(_named(queries))
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
            panel = panel.override_by_name(line, [_fixed_colour(colour)])
    for line in (ALERTS_ABOVE, ALERTS_BELOW):
        if any(query.build().legend_format == line for query in queries):
            panel = panel.override_by_name(line, _DASHED)
    return panel


def number(
    title: str,
    description: str,
    unit: str,
    *queries: Dataquery,
    decimals: int | None = None,
    thresholds: ThresholdsConfig | None = None,
    sparkline: bool = True,
    wall: bool = False,
) -> stat.Panel:
    """Show the last value as a large number.

    Parameters
    ----------
    title, description, unit, queries, decimals
        As in ``graph``.
    thresholds
        Colours by value; by default the number is neither good nor bad.
    sparkline
        Whether its course is drawn behind it.
    wall
        Whether it is to be read from across a room: larger, on a background of its colour.
    """
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .targets(_named(queries))
        .reduce_options(_LAST)
        .graph_mode(BigValueGraphMode.AREA if sparkline else BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND if wall else BigValueColorMode.VALUE)
        .thresholds(thresholds or neither_good_nor_bad())
    )
    if wall:
        panel = panel.text(VizTextDisplayOptions().value_size(_WALL_VALUE))
    return panel if decimals is None else panel.decimals(decimals)


def names(
    title: str, description: str, query: Dataquery, *, coloured: Mapping[str, str] | None = None, wall: bool = False
) -> stat.Panel:
    """Show what series are called: the legend of each that is there.

    Without a series there would be no word at all, so ``query`` is one of ``named_or``. ``coloured`` gives names that
    are good or bad their colour.
    """
    panel = number(title, description, "none", query, sparkline=False).text_mode(BigValueTextMode.NAME)
    for word, colour in (coloured or {}).items():
        panel = panel.override_by_name(word, [_fixed_colour(colour)])
    if wall:
        panel = panel.color_mode(BigValueColorMode.BACKGROUND).text(VizTextDisplayOptions().title_size(_WALL_NAME))
    return panel


def dial(
    title: str, description: str, unit: str, query: Dataquery, *, thresholds: ThresholdsConfig, decimals: int = 1
) -> gauge.Panel:
    """Show how much of something is there, from 0 to 1."""
    return (
        gauge.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .max(1)
        .decimals(decimals)
        .targets(_named([query]))
        .reduce_options(_LAST)
        .thresholds(thresholds)
    )


def bars(title: str, description: str, unit: str, *queries: Dataquery, decimals: int | None = None) -> bargauge.Panel:
    """Compare the last values of several series, one bar each."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .targets(_named(queries))
        .reduce_options(_LAST)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .text(_BAR_TEXT)
        .orientation(VizOrientation.HORIZONTAL)
        .thresholds(neither_good_nor_bad())
    )
    return panel if decimals is None else panel.decimals(decimals)


def rows(
    title: str,
    description: str,
    queries: Sequence[Dataquery],
    columns: Mapping[str, str],
    *,
    unit: str,
    if_none: str,
    decimals: int | None = None,
    joined_by: str = "",
    widths: Mapping[str, int] | None = None,
) -> table.Panel:
    """List series, one row each.

    Parameters
    ----------
    title, description, decimals
        As in ``graph``.
    queries
        Made with ``rows_now``.
    columns
        The labels to show, in this order, each with its heading; ``Value`` is the value, and ``Value #A``,
        ``Value #B`` are those of several queries.
    unit
        Of the values.
    if_none
        What is said when there is no series.
    joined_by
        The label by which rows of several queries are one row.
    widths
        In pixels, by heading, where what is in a column would be cut off.
    """
    transformations = [
        DataTransformerConfig("filterFieldsByName", options={"include": {"names": list(columns)}}),
        DataTransformerConfig(
            "organize",
            options={
                "excludeByName": {},
                "indexByName": {label: position for position, label in enumerate(columns)},
                "renameByName": dict(columns),
            },
        ),
    ]
    if joined_by:
        transformations.insert(0, DataTransformerConfig("joinByField", options={"byField": joined_by, "mode": "outer"}))
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .targets(_named(queries))
        .no_value(if_none)
        .transformations(transformations)
    )
    for heading, width in (widths or {}).items():
        panel = panel.override_by_name(heading, [DynamicConfigValue("custom.width", width)])
    return panel if decimals is None else panel.decimals(decimals)


def _named(queries: Sequence[Dataquery]) -> list[Builder[AnyQuery]]:
    """Give the queries of a panel the letters by which Grafana tells them apart."""
    return [query.ref_id(chr(ord("A") + place)) for place, query in enumerate(queries)]


def _may_be_called(query: Dataquery, line: str) -> bool:
    """Tell whether a line of a query may have a name: it is the legend, or the legend is a label's value."""
    legend = query.build().legend_format or ""
    return legend == line or legend in ("{{status}}", "{{class_name}}")


def _fixed_colour(colour: str) -> DynamicConfigValue:
    """Give a line a colour that does not depend on how many others there are."""
    return DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})


# A limit is no measurement: dashed, without an area below, never part of a stack, and the colour of danger.
_DASHED = [
    _fixed_colour(colours.LIMIT),
    DynamicConfigValue("custom.lineStyle", LineStyle().fill("dash").dash([8, 8]).build()),
    DynamicConfigValue("custom.lineWidth", 1),
    DynamicConfigValue("custom.fillOpacity", 0),
    DynamicConfigValue("custom.stacking", {"mode": "none", "group": "limit"}),
]
