"""Estimates with confidence intervals: a line within a band."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards import colours
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.queries import query

# The bounds of an interval, in legends and table headings.
LOWER_BOUND, UPPER_BOUND = "lower bound", "upper bound"

# Percent. Lines within the band remain visible.
_BAND_FILL = 20


def ratio_with_interval(
    title: str, description: str, name: str, estimate: str, low: str, high: str, *thresholds: Dataquery
) -> timeseries.Panel:
    """Return a graph of a ratio between 0 and 1, with the band of its interval.

    Parameters
    ----------
    title, description
        As in ``graphs.graph``.
    name
        Legend of the line.
    estimate, low, high
        PromQL of the ratio and of the bounds of its interval, from a job that is scraped every five seconds.
    thresholds
        Queries made with ``alert_line``.

    Examples
    --------
    >>> panel = ratio_with_interval("A", "B.", "a", "a", "a_low", "a_high").build()
    >>> [target.legend_format for target in panel.targets]
    ['a', 'lower bound', 'upper bound']
    """
    panel = graph(
        title,
        description,
        units.PercentUnit,
        query(estimate, name, fast_scrape=True),
        query(low, LOWER_BOUND, fast_scrape=True),
        query(high, UPPER_BOUND, fast_scrape=True),
        *thresholds,
        decimals=1,
    ).max(1)
    colour = colours.fixed(colours.NEUTRAL)
    edge = [colour, DynamicConfigValue("custom.lineWidth", 0)]
    band = [DynamicConfigValue("custom.fillBelowTo", LOWER_BOUND), DynamicConfigValue("custom.fillOpacity", _BAND_FILL)]
    return (
        panel.override_by_name(name, [colour, DynamicConfigValue("custom.fillOpacity", 0)])
        .override_by_name(LOWER_BOUND, [*edge, DynamicConfigValue("custom.fillOpacity", 0)])
        .override_by_name(UPPER_BOUND, [*edge, *band])
    )
