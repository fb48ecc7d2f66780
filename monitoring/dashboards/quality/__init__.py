"""The dashboard "Quality": how right the model is, as far as labels tell, and what is kept to know it."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.frame import choice_of_instance, drift_events, new_dashboard
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.quality.events import add_events
from monitoring.dashboards.quality.figures import add_figures
from monitoring.dashboards.quality.labels import add_labels
from monitoring.dashboards.quality.records import add_records
from monitoring.dashboards.quality.segments import add_segments


def build() -> Dashboard:
    """Make the dashboard."""
    dashboard = (
        new_dashboard(
            "Quality",
            "isowatch-quality",
            "How right the live model is, as far as labels of the last QUALITY_WINDOW_DAYS tell, with 95 % intervals; "
            "whether labels come, whom alarms concern, and whether answers are written to the records. Replicas that "
            "share a database tell the same; of several, the largest number is shown.",
        )
        .with_variable(choice_of_instance())
        .annotation(drift_events())
    )
    grid = Grid(dashboard)
    add_figures(grid)
    add_labels(grid)
    add_segments(grid)
    add_records(grid)
    add_events(grid)
    return dashboard
