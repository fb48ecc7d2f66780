"""Of the dashboard "Quality": whether answers are written to the records, and how much is kept."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode, ValueMap, ValueMappingResult

from monitoring.dashboards import colours
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import number
from monitoring.dashboards.queries import INSTANCE, quantile, query, rate


def add_records(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Records")
    grid.line(5, _state(), _given_up(), _oldest(), _size(), widths=(6, 6, 6, 6))
    grid.line(8, _rows(), _waiting(), _failures(), _duration())


def _state() -> stat.Panel:
    """Whether rows are written."""
    words = ValueMap(
        options={
            "-1": ValueMappingResult(text="off", color=colours.NEUTRAL, index=0),
            "0": ValueMappingResult(text="NOT WRITTEN", color=colours.BAD, index=1),
            "1": ValueMappingResult(text="written", color=colours.GOOD, index=2),
        }
    )
    return number(
        "Records",
        "Whether the last write of every recorder succeeded; off: RECORD_PREDICTIONS says that nothing is kept. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten",
        units.NoUnit,
        query(
            f"min(records_up{{{INSTANCE}}} and on (job, instance) records_enabled{{{INSTANCE}}} == 1) or vector(-1)",
            "records",
            often=True,
        ),
        thresholds=ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=colours.NEUTRAL)]),
        sparkline=False,
    ).mappings([words])


def _given_up() -> stat.Panel:
    """What is missing for good."""
    return number(
        "Rows given up",
        "Rows of the time shown that waited to be written until memory was full, or that no database takes. They are "
        "missing for good. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten",
        units.Short,
        query(f"round(sum(increase(records_given_up_rows_total{{{INSTANCE}}}[$__range])))", "given up", often=True),
        decimals=0,
        thresholds=ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=colours.GOOD), Threshold(value=1, color=colours.BAD)]),
        sparkline=False,
    )


def _oldest() -> stat.Panel:
    """How far back records go."""
    return number(
        "Oldest record",
        "Time since the oldest answer that is kept; what is older than RECORD_RETENTION_DAYS is purged.",
        units.Seconds,
        query(f"time() - min(records_oldest_timestamp_seconds{{{INSTANCE}}} > 0)", "ago", often=True),
        decimals=0,
        sparkline=False,
    ).no_value("none")


def _size() -> stat.Panel:
    """What records take."""
    return number(
        "Database",
        "Size of the database that holds the records; of several, the largest.",
        units.BytesIEC,
        query(f"max(records_database_bytes{{{INSTANCE}}})", "size", often=True),
        decimals=1,
        sparkline=False,
    )


def _rows() -> timeseries.Panel:
    """What is written and purged."""
    return graph(
        "Rows a second written and purged",
        "Rows that were written to the records, and rows that were removed because they had become older than "
        "RECORD_RETENTION_DAYS.",
        "rows/s",
        query(rate("records_kept_rows_total", INSTANCE), "written", often=True),
        query(rate("records_purged_rows_total", INSTANCE), "purged", often=True),
        decimals=1,
    )


def _waiting() -> timeseries.Panel:
    """What memory holds."""
    return graph(
        "Rows that wait",
        "Rows in the recorders' memory that are not written yet. A few hundred come and go; a line that climbs means "
        "that the database does not take them. Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten",
        units.Short,
        query(f"sum by (instance) (records_waiting_rows{{{INSTANCE}}})", "{{instance}}", often=True),
        decimals=0,
        at_least=500,
    )


def _failures() -> timeseries.Panel:
    """Why writing failed."""
    return graph(
        "Failed writes within 5 minutes",
        "Batches that could not be written, by reason; each is tried again. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten",
        units.Short,
        query(
            f"round(sum by (reason) (increase(records_write_failures_total{{{INSTANCE}}}[5m])))",
            "{{reason}}",
            often=True,
        ),
        decimals=0,
        at_least=2,
    )


def _duration() -> timeseries.Panel:
    """How long a batch takes."""
    return graph(
        "Duration of a write",
        "How long a batch of at most 500 rows takes until it is committed: half of them, 19 of 20, 99 of 100.",
        units.Seconds,
        *(
            query(quantile(share, "records_write_duration_seconds", INSTANCE), name, often=True)
            for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        ),
    )
