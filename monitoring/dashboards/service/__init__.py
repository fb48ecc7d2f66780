"""The dashboard "Service": what is asked, what is answered, how fast, and what it takes."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.frame import choice, choice_of_instance, new_dashboard
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.service.cost import add_cost
from monitoring.dashboards.service.model import add_model
from monitoring.dashboards.service.objectives import add_objectives
from monitoring.dashboards.service.predictions import add_predictions
from monitoring.dashboards.service.requests import add_requests
from monitoring.dashboards.service.resources import add_resources
from monitoring.dashboards.service.watcher import add_watcher


def build() -> Dashboard:
    """Make the dashboard."""
    dashboard = (
        new_dashboard(
            "Service",
            "isowatch-service",
            "What is asked of the service, how it answers, and what that takes. What is recorded for alerts counts all "
            "replicas together; everything else follows the choice of instance and model version.",
        )
        .with_variable(choice_of_instance())
        .with_variable(
            choice(
                "model_version",
                "Model version",
                'label_values(model_prediction_requests_total{job="service"}, model_version)',
            )
        )
    )
    grid = Grid(dashboard)
    add_requests(grid)
    add_predictions(grid)
    add_model(grid)
    add_objectives(grid)
    add_resources(grid)
    add_cost(grid)
    add_watcher(grid)
    return dashboard
