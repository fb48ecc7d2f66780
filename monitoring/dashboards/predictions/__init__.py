"""The dashboard "Predictions": what the model answers, and how sure it is."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.answers import mean_output, mean_score, outlier_share
from monitoring.dashboards.frame import choice_of_instance, drift_events, new_dashboard
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.predictions.confidence import average_confidence, rows_by_confidence
from monitoring.dashboards.predictions.totals import labels, rows_by_confidence_in_all, scores


def build() -> Dashboard:
    """Make the dashboard."""
    dashboard = (
        new_dashboard(
            "Predictions",
            "isowatch-predictions",
            "What the model says of the rows, and how sure it is. What is recorded for alerts counts all replicas "
            "together; everything else follows the choice of instance.",
        )
        .with_variable(choice_of_instance())
        .annotation(drift_events())
    )
    grid = Grid(dashboard)
    grid.heading("Confidence")
    grid.line(10, average_confidence(), rows_by_confidence(), widths=(10, 14))
    grid.heading("In the time shown")
    # Eleven bars and a heading are to be seen without scrolling.
    grid.line(12, rows_by_confidence_in_all(), labels(), scores(), widths=(8, 6, 10))
    grid.heading("Labels and scores")
    grid.line(9, mean_score(), mean_output(), outlier_share())
    return dashboard
