"""Dashboard "Service": memory, CPU, restarts and cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query


def add_resources(grid: Grid) -> None:
    """Add the panels on resources and cost."""
    grid.add_row("Resources and cost")
    grid.add_panels(8, _memory(), _cpu(), _restarts())
    grid.add_panels(5, _cost(), widths=(24,))


def _memory() -> timeseries.Panel:
    return graph(
        "Memory",
        "Memory of all processes of a replica. Alert HighMemoryUsage: monitoring/runbook.md#highmemoryusage",
        units.BytesIEC,
        query(f"sum by (instance) (app_memory_usage_bytes{{{INSTANCE}}})", "{{instance}}", fast_scrape=True),
        alert_line("threshold:memory_bytes:max"),
        decimals=1,
    )


def _cpu() -> timeseries.Panel:
    return graph(
        "CPU",
        "CPU time of all processes of a replica; 100 % is one core.",
        units.Percent,
        query(f"sum by (instance) (app_cpu_usage_percent{{{INSTANCE}}})", "{{instance}}", fast_scrape=True),
        decimals=0,
    )


def _restarts() -> timeseries.Panel:
    return graph(
        "Worker restarts within 15 minutes",
        "Workers that replaced a finished one. Alert WorkerRestarts: monitoring/runbook.md#workerrestarts",
        units.Short,
        query(
            f"sum by (instance) (round(increase(app_worker_restarts_total{{{INSTANCE}}}[15m])))",
            "{{instance}}",
            fast_scrape=True,
        ),
        alert_line("threshold:worker_restarts:max"),
        decimals=0,
    )


def _cost() -> stat.Panel:
    panel = number(
        "Cost",
        "CPU time of all replicas per million scored rows, over 5 minutes, including the overhead of an idle service; "
        "what a million rows of the last hour cost, and what the running replicas cost in a month, used or idle. The "
        "settings REPLICA_MONTHLY_COST and CURRENCY of the service say what a replica costs; without them nothing is "
        "shown of the latter two.",
        units.NoUnit,
        query("job:cpu_seconds_per_million_predictions:ratio_rate5m", "CPU time per million"),
        query("job_currency:cost_per_million_predictions:ratio_rate1h", "{{currency}} per million"),
        query("job_currency:cost_per_month:sum", "{{currency}} a month"),
        decimals=2,
        sparkline=False,
    )
    seconds = [DynamicConfigValue("unit", units.Seconds), DynamicConfigValue("decimals", 0)]
    return (
        panel.override_by_name("CPU time per million", seconds)
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .no_value("idle")
    )
