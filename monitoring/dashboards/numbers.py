"""Last values, as numbers, words, dials and bars."""

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
from monitoring.dashboards.alert_thresholds import neither_good_nor_bad, on_a_wall
from monitoring.dashboards.queries import PROMETHEUS, lettered

# Pixels; a number of this size is read from the other end of a room.
_WALL_VALUE, _WALL_NAME = 90, 38

_LAST = ReduceDataOptions().calcs(["lastNotNull"])

# Pixels, so that few bars are not labelled larger than many.
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
) -> stat.Panel:
    """Show the last value as a large number.

    Parameters
    ----------
    title, description, unit, queries, decimals
        As in ``graphs.graph``.
    thresholds
        Colours by value; by default the number is neither good nor bad.
    sparkline
        Whether its course is drawn behind it.
    wall
        Whether it is to be read from across a room: larger, on a background of its colour.
    """
    coloured = thresholds or neither_good_nor_bad()
    panel = (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .targets(lettered(queries))
        .reduce_options(_LAST)
        .graph_mode(BigValueGraphMode.AREA if sparkline else BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.BACKGROUND_SOLID if wall else BigValueColorMode.VALUE)
        .thresholds(coloured)
    )
    if wall:
        panel = panel.thresholds(on_a_wall(coloured)).text(VizTextDisplayOptions().value_size(_WALL_VALUE))
    return panel if decimals is None else panel.decimals(decimals)


def names(
    title: str, description: str, query: Dataquery, *, coloured: Mapping[str, str] | None = None, wall: bool = False
) -> stat.Panel:
    """Show what series are called: the legend of each that is there.

    Without a series there would be no word at all, so ``query`` is one of ``named_or``. ``coloured`` gives names that
    are good or bad their colour.
    """
    panel = number(title, description, "none", query, sparkline=False, wall=wall).text_mode(BigValueTextMode.NAME)
    for word, colour in (coloured or {}).items():
        shade = colours.ON_A_WALL.format(colour) if wall else colour
        panel = panel.override_by_name(word, [colours.fixed(shade)])
    return panel.text(VizTextDisplayOptions().title_size(_WALL_NAME)) if wall else panel


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
        .targets(lettered([query]))
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
        .targets(lettered(queries))
        .reduce_options(_LAST)
        .display_mode(BarGaugeDisplayMode.BASIC)
        .text(_BAR_TEXT)
        .orientation(VizOrientation.HORIZONTAL)
        .thresholds(neither_good_nor_bad())
    )
    return panel if decimals is None else panel.decimals(decimals)
