"""Dashboard "Service": collection of its metrics."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import names
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, names_query, query


def add_scrapes(grid: Grid) -> None:
    """Add the panels on scrapes."""
    grid.add_row("Metrics collection")
    grid.add_panels(7, _scrape_duration(), _metric_files(), _exporter(), widths=(10, 10, 4))


def _scrape_duration() -> timeseries.Panel:
    return graph(
        "Scrape duration",
        "Time in which the service sums up the metrics of its workers, and time until Prometheus has the response. "
        "Alert MetricsScrapeSlow: monitoring/runbook.md#metricsscrapeslow",
        units.Seconds,
        query(f"max(metrics_scrape_duration_seconds{{{INSTANCE}}})", "in the service", fast_scrape=True),
        query(f"max(scrape_duration_seconds{{{INSTANCE}}})", "seen by Prometheus", fast_scrape=True),
        alert_line("threshold:metrics_scrape_seconds:max"),
    )


def _metric_files() -> timeseries.Panel:
    return graph(
        "Metric files",
        "Metric files of the workers, unreadable files that were quarantined within 15 minutes, and files that cannot "
        "grow because the metrics folder is full. Files of finished workers are merged, so there are always few. "
        "Alert MetricsFolderFull: monitoring/runbook.md#metricsfolderfull",
        units.Short,
        query(f"sum(metrics_files{{{INSTANCE}}})", "in use", fast_scrape=True),
        query(
            f"sum(round(increase(metrics_files_quarantined_total{{{INSTANCE}}}[15m])))", "quarantined", fast_scrape=True
        ),
        query(f"sum(metrics_files_out_of_space{{{INSTANCE}}})", "out of space", fast_scrape=True),
        decimals=0,
    )


def _exporter() -> stat.Panel:
    return names(
        "Exporter",
        "Version of prometheus_flask_exporter, which counts and times the requests of all routes.",
        names_query(f"max by (version) (flask_exporter_info{{{INSTANCE}}})", "version", "none"),
    )
