"""Dashboard "Service": the live model."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode, ValueMap, ValueMappingResult

from monitoring.dashboards import colours
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query, table_query
from monitoring.dashboards.tables import series_table


def add_model(grid: Grid) -> None:
    """Add the panels on the live model."""
    grid.add_row("Model")
    grid.add_panels(7, _live_model(), _ready(), _age(), _live_for(), _swaps(), widths=(10, 3, 3, 3, 5))


def _live_model() -> table.Panel:
    return series_table(
        "Live model",
        "The live version of each replica; briefly two while its workers switch to a new model.",
        [table_query(f"max by (instance, model_name, model_version, algorithm) (model_info{{{INSTANCE}}} == 1)")],
        {"model_version": "version", "instance": "replica", "model_name": "name", "algorithm": "algorithm"},
        unit=units.NoUnit,
        no_value="No model",
        widths={"version": 230, "replica": 150, "name": 100},
    )


def _ready() -> stat.Panel:
    yes_or_no = ValueMap(
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
        query(f"min(model_ready{{{INSTANCE}}})", "ready", fast_scrape=True),
        thresholds=ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=colours.BAD), Threshold(value=1, color=colours.GOOD)]),
        sparkline=False,
    ).mappings([yes_or_no])


def _age() -> stat.Panel:
    return number(
        "Model age",
        "Time since the live model was trained; it should be retrained after MODEL_MAX_AGE_DAYS. "
        "Alert RetrainingNeeded: monitoring/runbook.md#retrainingneeded",
        units.Seconds,
        query(f"time() - min(model_trained_timestamp_seconds{{{INSTANCE}}} > 0)", "age", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _live_for() -> stat.Panel:
    return number(
        "Live for",
        "Time since a worker last loaded a model, at its start or to switch to a new one.",
        units.Seconds,
        query(f"time() - max(model_loaded_timestamp_seconds{{{INSTANCE}}} > 0)", "live", fast_scrape=True),
        decimals=0,
        sparkline=False,
    )


def _swaps() -> timeseries.Panel:
    return graph(
        "Model swaps within 5 minutes",
        "New bundles that workers loaded or refused; every worker counts. A refused bundle failed verification. "
        "Alert ModelSwapRefused: monitoring/runbook.md#modelswaprefused",
        units.Short,
        query(
            f"sum by (result) (round(increase(model_swaps_total{{{INSTANCE}}}[5m])))", "{{result}}", fast_scrape=True
        ),
        decimals=0,
        soft_max=2,
    )
