"""Estimates with the doubt that belongs to them: a line within a band."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards import colours
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.queries import query

# What the ends of an interval are called, in legends and in tables.
AT_LEAST, AT_MOST = "at least", "at most"

# Percent: the band is seen, and so are lines within it.
_BAND_FILL = 20


def share_with_interval(
    title: str, description: str, name: str, estimate: str, low: str, high: str, *limits: Dataquery
) -> timeseries.Panel:
    """Draw a share of 0 to 1, with the band between the ends of its interval.

    Parameters
    ----------
    title, description
        As in ``graphs.graph``.
    name
        What the line is called.
    estimate, low, high
        PromQL of the share and of the ends of its interval, from a job that is scraped often.
    limits
        Made with ``alert_line``.

    Examples
    --------
    >>> panel = share_with_interval("A", "B.", "a", "a", "a_low", "a_high").build()
    >>> [target.legend_format for target in panel.targets]
    ['a', 'at least', 'at most']
    """
    panel = graph(
        title,
        description,
        units.PercentUnit,
        query(estimate, name, often=True),
        query(low, AT_LEAST, often=True),
        query(high, AT_MOST, often=True),
        *limits,
        decimals=1,
    ).max(1)
    colour = colours.fixed(colours.NEUTRAL)
    edge = [colour, DynamicConfigValue("custom.lineWidth", 0)]
    band = [DynamicConfigValue("custom.fillBelowTo", AT_LEAST), DynamicConfigValue("custom.fillOpacity", _BAND_FILL)]
    return (
        panel.override_by_name(name, [colour, DynamicConfigValue("custom.fillOpacity", 0)])
        .override_by_name(AT_LEAST, [*edge, DynamicConfigValue("custom.fillOpacity", 0)])
        .override_by_name(AT_MOST, [*edge, *band])
    )
