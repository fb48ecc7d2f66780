"""Panels that show latest values: numbers, names, gauges and bars."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.builders import bargauge, gauge, stat
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizTextDisplayOptions
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    VizOrientation,
)

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import for_wall, neutral
from monitoring.dashboards.queries import PROMETHEUS, with_ref_ids

# Pixels; readable from across a room.
_WALL_VALUE, _WALL_NAME, _WALL_LEGEND = 90, 48, 22

_LAST = ReduceDataOptions().calcs(["lastNotNull"])

# Pixels. A fixed size, because Grafana would label few bars larger than many.
_BAR_TEXT = VizTextDisplayOptions().title_size(14).value_size(18)


def number(
    title: str,
    description: str,
    unit: str,
    *queries: Dataquery,
    decimals: int | None = None,
    thresholds: ThresholdsConfig | None = None,
    sparkline: bool = True,
    wall: bool = False,
    name_size: bool = False,
) -> stat.Panel:
    """Return a panel with the latest value as a large number.

    Parameters
    ----------
    title, description, unit, queries, decimals
        As in ``graphs.graph``.
    thresholds
        Colours by value; neutral by default.
    sparkline
        Whether its history is drawn behind it.
    wall
        Whether it is for a wall screen: a larger number on a coloured background.
    name_size
        Whether the wall screen's number is only as large as a name, because it has several, or text.
    """
    coloured = thresholds or neutral()
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .targets(with_ref_ids(queries))
        .reduce_options(_LAST)
        .graph_mode(BigValueGraphMode.AREA if sparkline else BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND_SOLID if wall else BigValueColorMode.VALUE)
        .thresholds(coloured)
    )
    if wall:
        size = VizTextDisplayOptions().title_size(_WALL_LEGEND).value_size(_WALL_NAME if name_size else _WALL_VALUE)
        panel = panel.thresholds(for_wall(coloured)).text(size)
    return panel if decimals is None else panel.decimals(decimals)


def names(
    title: str, description: str, query: Dataquery, *, coloured: Mapping[str, str] | None = None, wall: bool = False
) -> stat.Panel:
    """Return a panel with the legends of the current series.

    Without any series the panel would be empty, so the query is one of ``names_query``. ``coloured`` maps legends to
    colours.
    """
    panel = number(title, description, "none", query, sparkline=False, wall=wall).text_mode(BigValueTextMode.NAME)
    for legend, colour in (coloured or {}).items():
        shade = colours.for_wall(colour) if wall else colour
        panel = panel.override_by_name(legend, [colours.fixed(shade)])
    return panel.text(VizTextDisplayOptions().title_size(_WALL_NAME).value_size(_WALL_NAME)) if wall else panel


def ratio_gauge(
    title: str, description: str, unit: str, query: Dataquery, *, thresholds: ThresholdsConfig, decimals: int = 1
) -> gauge.Panel:
    """Return a gauge from 0 to 1."""
    return (
        gauge.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .max(1)
        .decimals(decimals)
        .targets(with_ref_ids([query]))
        .reduce_options(_LAST)
        .thresholds(thresholds)
    )


def bar_gauge(
    title: str, description: str, unit: str, *queries: Dataquery, decimals: int | None = None
) -> bargauge.Panel:
    """Return a panel with one bar for the latest value of each series."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .targets(with_ref_ids(queries))
        .reduce_options(_LAST)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .text(_BAR_TEXT)
        .orientation(VizOrientation.HORIZONTAL)
        .thresholds(neutral())
    )
    return panel if decimals is None else panel.decimals(decimals)
