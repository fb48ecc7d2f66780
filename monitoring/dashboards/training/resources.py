"""Of the dashboard "Training": memory and CPU."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import query
from monitoring.dashboards.training.latest import of_training


def add_resources(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Resources")
    grid.line(8, _memory(), _cpu())


def _memory() -> timeseries.Panel:
    """What it holds."""
    return graph(
        "Memory",
        "Memory of the training's process.",
        units.BytesIEC,
        query(of_training("training_memory_usage_bytes"), "memory", often=True),
        decimals=0,
    )


def _cpu() -> timeseries.Panel:
    """How busy it is."""
    return graph(
        "CPU",
        "CPU time of the training's process; 100 % is one core.",
        units.Percent,
        query(of_training("training_cpu_usage_percent"), "CPU", often=True),
        decimals=0,
        at_least=100,
    )
