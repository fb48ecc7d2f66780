"""Of the dashboard "Service": memory, CPU and workers."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import number
from monitoring.dashboards.queries import INSTANCE, query


def add_resources(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Resources")
    grid.line(9, _memory(), _memory_share(), _cpu(), widths=(8, 8, 8))
    grid.line(7, _replicas(), _uptime(), _workers(), _restarts(), widths=(3, 3, 9, 9))


def _memory() -> timeseries.Panel:
    """What HighMemoryUsage looks at."""
    return graph(
        "Memory",
        "All processes of a replica together. Alert HighMemoryUsage: monitoring/runbook.md#highmemoryusage",
        units.BytesIEC,
        query(f"sum by (instance) (app_memory_usage_bytes{{{INSTANCE}}})", "{{instance}}", often=True),
        alert_line("threshold:memory_bytes:max"),
        decimals=1,
    )


def _memory_share() -> timeseries.Panel:
    """How close the kernel is to ending a process."""
    return graph(
        "Memory against the limit",
        "Memory of a replica as a share of what it may use: the limit of its container, else the machine's memory. "
        "Alert HighMemoryUsage: monitoring/runbook.md#highmemoryusage",
        units.PercentUnit,
        query(
            f"app_memory_usage_bytes{{{INSTANCE}}} / (app_memory_limit_bytes{{{INSTANCE}}} > 0)",
            "{{instance}}",
            often=True,
        ),
        alert_line("threshold:memory_limit_ratio:max"),
        decimals=1,
    )


def _cpu() -> timeseries.Panel:
    """How busy it is."""
    return graph(
        "CPU",
        "CPU time of all processes of a replica; 100 % is one core.",
        units.Percent,
        query(f"sum by (instance) (app_cpu_usage_percent{{{INSTANCE}}})", "{{instance}}", often=True),
        decimals=0,
    )


def _replicas() -> stat.Panel:
    """How many services answer."""
    return number(
        "Replicas",
        "Services that Prometheus reaches. Alert ServiceDown: monitoring/runbook.md#servicedown",
        units.Short,
        query('sum(up{job="service"}) or vector(0)', "up", often=True),
        decimals=0,
        sparkline=False,
    )


def _uptime() -> stat.Panel:
    """How long the youngest has been there."""
    return number(
        "Up for",
        "Time since a replica was last started. Alert ServiceRestarting: monitoring/runbook.md#servicerestarting",
        units.Seconds,
        query(f"time() - max(app_started_timestamp_seconds{{{INSTANCE}}} > 0)", "up", often=True),
        decimals=0,
        sparkline=False,
    )


def _workers() -> timeseries.Panel:
    """How many processes answer."""
    return graph(
        "Workers",
        "Processes of a replica that answer requests.",
        units.Short,
        query(f"sum by (instance) (app_workers{{{INSTANCE}}})", "{{instance}}", often=True),
        decimals=0,
    )


def _restarts() -> timeseries.Panel:
    """What WorkerRestarts looks at."""
    return graph(
        "Workers replaced within 15 minutes",
        "Workers that took the place of one that ended. Alert WorkerRestarts: monitoring/runbook.md#workerrestarts",
        units.Short,
        query(
            f"sum by (instance) (round(increase(app_worker_restarts_total{{{INSTANCE}}}[15m])))",
            "{{instance}}",
            often=True,
        ),
        alert_line("threshold:worker_restarts:max"),
        decimals=0,
    )
