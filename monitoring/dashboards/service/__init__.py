"""The dashboard "Service": requests, predictions, live model, error budgets, resources and cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.base import instance_variable, new_dashboard, query_variable
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.service.cost import add_cost
from monitoring.dashboards.service.model import add_model
from monitoring.dashboards.service.objectives import add_objectives
from monitoring.dashboards.service.predictions import add_predictions
from monitoring.dashboards.service.requests import add_requests
from monitoring.dashboards.service.resources import add_resources
from monitoring.dashboards.service.scrapes import add_scrapes


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = (
        new_dashboard(
            "Service",
            "isowatch-service",
            "What is requested, how fast and how reliably it is answered, the remaining error budgets, and resources. "
            "Series recorded for alerts include all replicas; everything else follows the selected instances and model "
            "versions.",
        )
        .with_variable(instance_variable())
        .with_variable(
            query_variable(
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
    add_scrapes(grid)
    return dashboard
