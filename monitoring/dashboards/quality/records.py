"""Dashboard "Quality": whether answers are recorded, and the audit trail."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Threshold, ThresholdsMode, ValueMap, ValueMappingResult

from monitoring.dashboards import colours
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, quantile, query, rate, table_query
from monitoring.dashboards.tables import series_table


def add_records(grid: Grid) -> None:
    """Add the panels on records."""
    grid.add_row("Records")
    grid.add_panels(5, _state(), _dropped(), _oldest(), _size(), widths=(6, 6, 6, 6))
    grid.add_panels(8, _rows(), _pending(), _failures(), _duration())


def add_audit_trail(grid: Grid) -> None:
    """Add the panels on the audit trail."""
    grid.add_row("Audit trail")
    grid.add_panels(8, _last_events(), _events(), widths=(8, 16))


def _state() -> stat.Panel:
    states = ValueMap(
        options={
            "-1": ValueMappingResult(text="off", color=colours.NEUTRAL, index=0),
            "0": ValueMappingResult(text="NOT WRITTEN", color=colours.BAD, index=1),
            "1": ValueMappingResult(text="written", color=colours.GOOD, index=2),
        }
    )
    return number(
        "Records",
        "Whether the last write of every recorder succeeded; off if RECORD_PREDICTIONS disables recording. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten",
        units.NoUnit,
        query(
            f"min(records_up{{{INSTANCE}}} and on (job, instance) records_enabled{{{INSTANCE}}} == 1) or vector(-1)",
            "records",
            fast_scrape=True,
        ),
        thresholds=ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=colours.NEUTRAL)]),
        sparkline=False,
    ).mappings([states])


def _dropped() -> stat.Panel:
    return number(
        "Dropped rows",
        "Rows dropped in the time range, because memory was full or the database rejected them. They are lost. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten",
        units.Short,
        query(
            f"round(sum(increase(records_given_up_rows_total{{{INSTANCE}}}[$__range])))", "dropped", fast_scrape=True
        ),
        decimals=0,
        thresholds=ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=colours.GOOD), Threshold(value=1, color=colours.BAD)]),
        sparkline=False,
    )


def _oldest() -> stat.Panel:
    return number(
        "Oldest record",
        "Age of the oldest recorded answer; answers older than RECORD_RETENTION_DAYS are purged.",
        units.Seconds,
        query(f"time() - min(records_oldest_timestamp_seconds{{{INSTANCE}}} > 0)", "age", fast_scrape=True),
        decimals=0,
        sparkline=False,
    ).no_value("none")


def _size() -> stat.Panel:
    return number(
        "Database size",
        "Size of the database of the records; the largest if there are several.",
        units.BytesIEC,
        query(f"max(records_database_bytes{{{INSTANCE}}})", "size", fast_scrape=True),
        decimals=1,
        sparkline=False,
    )


def _rows() -> timeseries.Panel:
    return graph(
        "Rows written and purged",
        "Rows written to the database, and rows deleted because they are older than RECORD_RETENTION_DAYS, per second.",
        "rows/s",
        query(rate("records_kept_rows_total", INSTANCE), "written", fast_scrape=True),
        query(rate("records_purged_rows_total", INSTANCE), "purged", fast_scrape=True),
        decimals=1,
    )


def _pending() -> timeseries.Panel:
    return graph(
        "Pending rows",
        "Rows in the recorders' memory that are not written yet. A few hundred are normal; a line that keeps rising "
        "means that the database is too slow or refuses them. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten",
        units.Short,
        query(f"sum by (instance) (records_waiting_rows{{{INSTANCE}}})", "{{instance}}", fast_scrape=True),
        decimals=0,
        soft_max=500,
    )


def _failures() -> timeseries.Panel:
    return graph(
        "Failed writes within 5 minutes",
        "Batches that could not be written, by reason; each is retried. "
        "Alert RecordsNotWritten: monitoring/runbook.md#recordsnotwritten",
        units.Short,
        query(
            f"round(sum by (reason) (increase(records_write_failures_total{{{INSTANCE}}}[5m]))) > 0",
            "{{reason}}",
            fast_scrape=True,
        ),
        decimals=0,
        soft_max=2,
    )


def _duration() -> timeseries.Panel:
    return graph(
        "Write duration",
        "Time until a batch of up to 500 rows is committed: median, 95th and 99th percentile.",
        units.Seconds,
        *(
            query(quantile(q, "records_write_duration_seconds", INSTANCE), name, fast_scrape=True)
            for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
        ),
    )


def _last_events() -> table.Panel:
    return series_table(
        "Last event of each kind",
        "Time since the last promotion, rollback, moved threshold, refused bundle, purge and forget. The table "
        "`events` of the records "
        "has all events, with who requested them and their details.",
        [table_query(f"time() - max by (event) (records_event_timestamp_seconds{{{INSTANCE}}} > 0)")],
        {"event": "event", "Value": "ago"},
        unit=units.Seconds,
        no_value="None",
        decimals=0,
    )


def _events() -> timeseries.Panel:
    return graph(
        "Events within an hour",
        "Events in the audit trail, by kind; they are also marked on all graphs.",
        units.Short,
        query(
            f"round(sum by (event) (increase(records_events_total{{{INSTANCE}}}[1h]))) > 0",
            "{{event}}",
            fast_scrape=True,
        ),
        decimals=0,
        soft_max=2,
        legend_right=True,
    )
