"""Of the dashboard "Drift": the recorder, which gets the rows that the workers have answered."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query, rate


def add_recorder(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Recorder")
    grid.line(8, _rows(), _lost(), _up())


def _rows() -> timeseries.Panel:
    """How many rows it gets."""
    return graph(
        "Rows a second handed over",
        "Rows that workers sent to the recorder or had to drop, and rows that it recorded: written to the records, or "
        "not to be kept. What was sent and not recorded waits, or was there when a recorder ended.",
        "rows/s",
        query(rate("recorder_rows_total", INSTANCE, by="result"), "{{result}}", often=True),
        decimals=1,
    )


def _lost() -> timeseries.Panel:
    """What RecorderDropsRows looks at."""
    return graph(
        "Rows lost",
        "Rows that were answered and not recorded, of all rows, over 5 minutes; below 0 while rows that waited are "
        "written. Rows that cannot be written are told of apart. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten "
        "Alert RecorderDropsRows: monitoring/runbook.md#recorderdropsrows",
        units.PercentUnit,
        query('job_instance:recorder_lost_rows_per_row:ratio_rate5m{instance=~"$instance"}', "{{instance}}"),
        alert_line("threshold:recorder_lost_ratio:max"),
        decimals=1,
    )


def _up() -> timeseries.Panel:
    """What RecorderDown looks at."""
    return graph(
        "Recorder up",
        "The part of 5 minutes in which the recorder of a replica was up. "
        "Alert RecorderDown: monitoring/runbook.md#recorderdown",
        units.PercentUnit,
        query(f"avg by (instance) (avg_over_time(recorder_up{{{INSTANCE}}}[5m]))", "{{instance}}", often=True),
        alert_line("threshold:recorder_up_ratio:min"),
        decimals=0,
        at_least=1,
    )
