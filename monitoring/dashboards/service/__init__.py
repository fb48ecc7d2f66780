"""The dashboard "Service": the replicas, what callers get, the error budgets, resources and cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from monitoring.dashboards.base import instance_variable, new_dashboard, query_variable
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.service.door import add_door
from monitoring.dashboards.service.objectives import add_objectives
from monitoring.dashboards.service.replicas import add_replicas
from monitoring.dashboards.service.requests import add_requests
from monitoring.dashboards.service.resources import add_resources


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = (
        new_dashboard(
            "Service",
            "isowatch-service",
            "Which replicas run, what callers ask and get at the door and in the service, the remaining error budgets, "
            "resources and cost. Series recorded for alerts include all replicas; everything else follows the selected "
            "instances and model versions.",
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
    add_replicas(grid)
    add_door(grid)
    add_requests(grid)
    add_objectives(grid)
    add_resources(grid)
    return dashboard
