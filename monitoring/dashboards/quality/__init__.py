"""The dashboard "Quality": quality figures from labels, segments, records and the audit trail."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.base import drift_events, instance_variable, new_dashboard
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.quality.figures import add_figures
from monitoring.dashboards.quality.labels import add_labels
from monitoring.dashboards.quality.records import add_audit_trail, add_records
from monitoring.dashboards.quality.segments import add_segments


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = (
        new_dashboard(
            "Quality",
            "isowatch-quality",
            "How accurate the live model is according to the labels of the last QUALITY_WINDOW_DAYS, with 95 % "
            "intervals; whether labels arrive, which segments are flagged, and whether answers are recorded. Replicas "
            "that share a database report the same; the largest value over the selected replicas is shown.",
        )
        .with_variable(instance_variable())
        .annotation(drift_events())
    )
    grid = Grid(dashboard)
    add_figures(grid)
    add_labels(grid)
    add_segments(grid)
    add_records(grid)
    add_audit_trail(grid)
    return dashboard
