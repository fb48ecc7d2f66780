"""Dashboard "Service": cost of predictions."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import BigValueTextMode

from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import query

_SETTINGS = "The settings REPLICA_MONTHLY_COST and CURRENCY of the service say what a replica costs."

# Without the setting or, for a million predictions, without any.
_UNKNOWN = "unknown"


def add_cost(grid: Grid) -> None:
    """Add the panels on cost."""
    grid.add_row("Cost")
    grid.add_panels(5, _cpu_time(), _per_million(), _per_month())


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
    return _cost(
        "Cost per million predictions",
        "Cost of all running replicas in the last hour, divided by the rows that they scored, for a million rows. None "
        "without predictions.",
        "job_currency:cost_per_million_predictions:ratio_rate1h",
        decimals=4,
    )


def _per_month() -> stat.Panel:
    return _cost(
        "Cost of the replicas per month",
        "Cost of all running replicas in a month, used or idle.",
        "job_currency:cost_per_month:sum",
        decimals=2,
    )


def _cost(title: str, description: str, series: str, decimals: int) -> stat.Panel:
    """Return an amount with its currency, which is a label: a unit of Grafana would be fixed here."""
    panel = number(title, f"{description} {_SETTINGS}", units.NoUnit, query(series, "{{currency}}"), decimals=decimals)
    return panel.text_mode(BigValueTextMode.VALUE_AND_NAME).no_value(_UNKNOWN)
