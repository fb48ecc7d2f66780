"""Of the dashboard "Service": what predictions cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import units

from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import number
from monitoring.dashboards.queries import query

_PRICE = (
    "The price of a CPU hour is set in monitoring/prometheus/rules/thresholds.yml, in the currency that you pay in."
)

# The sign for a currency that is not named.
_CURRENCY = "currency:¤"


def add_cost(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Cost")
    grid.line(5, _cpu_time(), _per_million(), _per_month(), _price())


def _cpu_time() -> stat.Panel:
    """What a prediction takes."""
    return number(
        "CPU time for a million predictions",
        "CPU time of all replicas over 5 minutes, idle time of the service included, for the rows labelled in them. A "
        "service that is seldom asked pays mostly for being there.",
        units.Seconds,
        query("job:cpu_seconds_per_million_predictions:ratio_rate5m", "CPU time"),
        decimals=0,
    ).no_value("idle")


def _per_million() -> stat.Panel:
    """What that costs."""
    return number(
        "Cost of a million predictions",
        f"What the CPU time of a million predictions costs. {_PRICE}",
        _CURRENCY,
        query("job:cost_per_million_predictions:currency_rate5m", "a million predictions"),
        decimals=4,
    ).no_value("idle")


def _per_month() -> stat.Panel:
    """What the service costs."""
    return number(
        "Cost of a month",
        f"What the CPU time of all replicas costs in a month that is like the last hour. {_PRICE}",
        _CURRENCY,
        query("job:cost_per_month:currency_avg1h", "a month"),
        decimals=2,
    )


def _price() -> stat.Panel:
    """What it is computed with."""
    return number(
        "Price of a CPU hour",
        f"The price that the others are computed with. {_PRICE}",
        _CURRENCY,
        query("price:cpu_hour:currency", "a CPU hour"),
        decimals=3,
        sparkline=False,
    )
