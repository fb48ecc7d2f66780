"""Dashboard "Service": memory, CPU and workers."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query


def add_resources(grid: Grid) -> None:
    """Add the panels on resources."""
    grid.add_row("Resources")
    grid.add_panels(9, _memory(), _memory_share(), _cpu(), widths=(8, 8, 8))
    grid.add_panels(7, _replicas(), _uptime(), _workers(), _restarts(), widths=(3, 3, 9, 9))


def _memory() -> timeseries.Panel:
    return graph(
        "Memory",
        "Memory of all processes of a replica. Alert HighMemoryUsage: monitoring/runbook.md#highmemoryusage",
        units.BytesIEC,
        query(f"sum by (instance) (app_memory_usage_bytes{{{INSTANCE}}})", "{{instance}}", fast_scrape=True),
        alert_line("threshold:memory_bytes:max"),
        decimals=1,
    )


def _memory_share() -> timeseries.Panel:
    return graph(
        "Memory relative to limit",
        "Memory of a replica as a share of its limit: the container's, otherwise the machine's memory. "
        "Alert HighMemoryUsage: monitoring/runbook.md#highmemoryusage",
        units.PercentUnit,
        query(
            f"app_memory_usage_bytes{{{INSTANCE}}} / (app_memory_limit_bytes{{{INSTANCE}}} > 0)",
            "{{instance}}",
            fast_scrape=True,
        ),
        alert_line("threshold:memory_limit_ratio:max"),
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


def _replicas() -> stat.Panel:
    return number(
        "Replicas",
        "Number of replicas that Prometheus reaches. Alert ServiceDown: monitoring/runbook.md#servicedown",
        units.Short,
        query('sum(up{job="service"}) or vector(0)', "up", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _uptime() -> stat.Panel:
    return number(
        "Uptime",
        "Time since the last start of a replica. Alert ServiceRestarting: monitoring/runbook.md#servicerestarting",
        units.Seconds,
        query(f"time() - max(app_started_timestamp_seconds{{{INSTANCE}}} > 0)", "uptime", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _workers() -> timeseries.Panel:
    return graph(
        "Workers",
        "Live workers of each replica.",
        units.Short,
        query(f"sum by (instance) (app_workers{{{INSTANCE}}})", "{{instance}}", fast_scrape=True),
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
