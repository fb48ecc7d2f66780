"""Of the dashboard "Quality": what was done to models and records."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query, rows_now
from monitoring.dashboards.tables import rows


def add_events(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Events on record")
    grid.line(8, _last(), _counts(), widths=(8, 16))


def _last() -> table.Panel:
    """When something last happened."""
    return rows(
        "Last event of each kind",
        "Time since a model was promoted, taken back or refused, and since records were purged or forgotten. Who did "
        "it, and from what to what, is in the table `events` of the records.",
        [rows_now(f"time() - max by (event) (records_event_timestamp_seconds{{{INSTANCE}}} > 0)")],
        {"event": "event", "Value": "ago"},
        unit=units.Seconds,
        if_none="None",
        decimals=0,
    )


def _counts() -> timeseries.Panel:
    """How often it happened."""
    return graph(
        "Events within an hour",
        "Events that were put on record, by kind; they are marked on all graphs.",
        units.Short,
        query(f"round(sum by (event) (increase(records_events_total{{{INSTANCE}}}[1h])))", "{{event}}", often=True),
        decimals=0,
        at_least=2,
        wide=True,
    )
