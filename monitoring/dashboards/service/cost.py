"""Dashboard "Service": cost of predictions."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import units

from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import query

_PRICE = "The price per CPU hour is set in monitoring/prometheus/rules/thresholds.yml, in your own currency."

# The generic currency sign.
_CURRENCY = "currency:¤"


def add_cost(grid: Grid) -> None:
    """Add the panels on cost."""
    grid.add_row("Cost")
    grid.add_panels(5, _cpu_time(), _per_million(), _per_month(), _price())


def _cpu_time() -> stat.Panel:
    return number(
        "CPU time per million predictions",
        "CPU time of all replicas per million scored rows, over 5 minutes, including the overhead of an idle service. "
        "At low traffic, that overhead dominates.",
        units.Seconds,
        query("job:cpu_seconds_per_million_predictions:ratio_rate5m", "CPU time"),
        decimals=0,
    ).no_value("idle")


def _per_million() -> stat.Panel:
    return number(
        "Cost per million predictions",
        f"Cost of the CPU time of a million predictions. {_PRICE}",
        _CURRENCY,
        query("job:cost_per_million_predictions:currency_rate5m", "cost per million predictions"),
        decimals=4,
    ).no_value("idle")


def _per_month() -> stat.Panel:
    return number(
        "Cost per month",
        f"Cost of the CPU time of all replicas in a month, extrapolated from the last hour. {_PRICE}",
        _CURRENCY,
        query("job:cost_per_month:currency_avg1h", "cost per month"),
        decimals=2,
    )


def _price() -> stat.Panel:
    return number(
        "Price per CPU hour",
        f"The price that the cost figures use. {_PRICE}",
        _CURRENCY,
        query("price:cpu_hour:currency", "price per CPU hour"),
        decimals=3,
        sparkline=False,
    )
