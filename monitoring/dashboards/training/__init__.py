"""The dashboard "Training": the training that runs, else what the last one told the Pushgateway."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.frame import choice, new_dashboard
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.training.outcome import add_outcome
from monitoring.dashboards.training.resources import add_resources
from monitoring.dashboards.training.run import add_run


def build() -> Dashboard:
    """Make the dashboard."""
    dashboard = new_dashboard(
        "Training",
        "isowatch-training",
        "How the training that runs is getting on, and what came out. When none runs, what the last one pushed at its "
        "end is shown.",
    ).with_variable(
        choice(
            "model_name",
            "Model of the last training",
            'label_values(training_runs_total{job="training"}, model_name)',
            several=False,
        )
    )
    grid = Grid(dashboard)
    add_run(grid)
    add_outcome(grid)
    add_resources(grid)
    return dashboard
