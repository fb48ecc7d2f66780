"""The dashboard "Drift": whether rows and answers still look like those of the training, and who watches it."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.drift.events import add_events
from monitoring.dashboards.drift.recorder import add_recorder
from monitoring.dashboards.drift.statistics import add_statistics
from monitoring.dashboards.frame import choice_of_instance, drift_events, new_dashboard
from monitoring.dashboards.layout import Grid


def build() -> Dashboard:
    """Make the dashboard."""
    dashboard = (
        new_dashboard(
            "Drift",
            "isowatch-drift",
            "Whether rows and answers still look like those of the training. Detectors: cvm compares the rows feature "
            "by feature, mmd all features together, score the anomaly scores, outlier_rate the share of outliers. Each "
            "replica has its own; of several, the farthest is shown.",
        )
        .with_variable(choice_of_instance())
        .annotation(drift_events())
    )
    grid = Grid(dashboard)
    add_events(grid)
    add_statistics(grid)
    add_recorder(grid)
    return dashboard
