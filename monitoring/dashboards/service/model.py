"""Of the dashboard "Service": the model that answers, and how it came there."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode, ValueMap, ValueMappingResult

from monitoring.dashboards import colours
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import number
from monitoring.dashboards.queries import INSTANCE, query, rows_now
from monitoring.dashboards.tables import rows


def add_model(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Model")
    grid.line(7, _live(), _ready(), _trained(), _loaded(), _swaps(), widths=(10, 3, 3, 3, 5))


def _live() -> table.Panel:
    """Which model answers, of each replica."""
    return rows(
        "Model that answers",
        "The live version of each replica; its value is 1. Two of one replica for a moment while its workers change.",
        [rows_now(f"max by (instance, model_name, model_version, algorithm) (model_info{{{INSTANCE}}} == 1)")],
        {"model_version": "version", "instance": "replica", "model_name": "name", "algorithm": "algorithm"},
        unit=units.NoUnit,
        if_none="No model is live",
        widths={"version": 230, "replica": 150, "name": 100},
    )


def _ready() -> stat.Panel:
    """Whether every worker has a model."""
    words = ValueMap(
        options={
            "0": ValueMappingResult(text="NO", color=colours.BAD, index=0),
            "1": ValueMappingResult(text="YES", color=colours.GOOD, index=1),
        }
    )
    return number(
        "Ready",
        "Whether every worker of every replica has a verified model. "
        "Alert ModelMissing: monitoring/runbook.md#modelmissing",
        units.NoUnit,
        query(f"min(model_ready{{{INSTANCE}}})", "ready", often=True),
        thresholds=ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=colours.BAD), Threshold(value=1, color=colours.GOOD)]),
        sparkline=False,
    ).mappings([words])


def _trained() -> stat.Panel:
    """How old the model is."""
    return number(
        "Trained",
        "Time since the live model was trained; beyond MODEL_MAX_AGE_DAYS it is time for the next. "
        "Alert RetrainingNeeded: monitoring/runbook.md#retrainingneeded",
        units.Seconds,
        query(f"time() - min(model_trained_timestamp_seconds{{{INSTANCE}}} > 0)", "age", often=True),
        decimals=0,
        sparkline=False,
    )


def _loaded() -> stat.Panel:
    """How long it has been live."""
    return number(
        "Live for",
        "Time since a worker last took a model over, or was started with one.",
        units.Seconds,
        query(f"time() - max(model_loaded_timestamp_seconds{{{INSTANCE}}} > 0)", "live", often=True),
        decimals=0,
        sparkline=False,
    )


def _swaps() -> timeseries.Panel:
    """Models that came, and models that were refused."""
    return graph(
        "New models taken and refused",
        "Bundles that workers took over or refused, within 5 minutes; each worker counts. A refused one failed its "
        "verification. Alert ModelSwapRefused: monitoring/runbook.md#modelswaprefused",
        units.Short,
        query(f"sum by (result) (round(increase(model_swaps_total{{{INSTANCE}}}[5m])))", "{{result}}", often=True),
        decimals=0,
        at_least=2,
    )
