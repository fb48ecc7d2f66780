"""Of the dashboard "Service": what it takes to watch the service."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import names
from monitoring.dashboards.queries import INSTANCE, named_or, query


def add_watcher(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Watching the service")
    grid.line(7, _scrapes(), _files(), _exporter(), widths=(10, 10, 4))


def _scrapes() -> timeseries.Panel:
    """What MetricsScrapeSlow looks at."""
    return graph(
        "Duration of a scrape",
        "How long the service takes to add up its workers' numbers, and how long Prometheus waits for them. "
        "Alert MetricsScrapeSlow: monitoring/runbook.md#metricsscrapeslow",
        units.Seconds,
        query(f"max(metrics_scrape_duration_seconds{{{INSTANCE}}})", "in the service", often=True),
        query(f"max(scrape_duration_seconds{{{INSTANCE}}})", "for Prometheus", often=True),
        alert_line("threshold:metrics_scrape_seconds:max"),
    )


def _files() -> timeseries.Panel:
    """What a scrape reads."""
    return graph(
        "Files of metrics",
        "Files in which workers keep their numbers, and files that could not be read and were put aside within 15 "
        "minutes. What ended workers counted is folded into few files, so they stay few.",
        units.Short,
        query(f"sum(metrics_files{{{INSTANCE}}})", "in use", often=True),
        query(f"sum(round(increase(metrics_files_quarantined_total{{{INSTANCE}}}[15m])))", "put aside", often=True),
        decimals=0,
    )


def _exporter() -> stat.Panel:
    """Who measures HTTP requests."""
    return names(
        "Exporter",
        "Version of prometheus_flask_exporter, which measures the requests of all routes.",
        named_or(f"max by (version) (flask_exporter_info{{{INSTANCE}}})", "version", "nobody"),
    )
