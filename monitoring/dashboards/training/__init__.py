"""The dashboard "Training": the current training run, otherwise the last one, from the Pushgateway."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.base import new_dashboard, query_variable
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.training.outcome import add_outcome
from monitoring.dashboards.training.run import add_resources, add_run


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = new_dashboard(
        "Training",
        "isowatch-training",
        "Progress and result of the current training run; if there is none, the final metrics of the last one.",
    ).with_variable(
        query_variable(
            "model_name",
            "Model of the last run",
            'label_values(training_runs_total{job="training"}, model_name)',
            multi=False,
        )
    )
    grid = Grid(dashboard)
    add_run(grid)
    add_outcome(grid)
    add_resources(grid)
    return dashboard
