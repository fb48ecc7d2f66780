"""Dashboard "Service": what is wrong, and each replica."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, ValueMap, ValueMappingResult

from monitoring.dashboards import colours
from monitoring.dashboards.alert_tables import pending_and_firing_alerts
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, REQUESTS_OF_CALLERS, table_query
from monitoring.dashboards.tables import series_table

# Rates of the last minute: a table has no time range of its own.
_REQUESTS = f"rate(flask_http_request_total{{{INSTANCE}, {REQUESTS_OF_CALLERS}}}[1m])"
_FAILED = f'rate(flask_http_request_total{{{INSTANCE}, {REQUESTS_OF_CALLERS}, status=~"5.."}}[1m])'
_SECONDS = f"rate(flask_http_request_duration_seconds_bucket{{{INSTANCE}, {REQUESTS_OF_CALLERS}}}[1m])"


def add_replicas(grid: Grid) -> None:
    """Add the tables of alerts and of replicas."""
    grid.add_row("Now")
    grid.add_panels(7, pending_and_firing_alerts(), _replicas(), widths=(10, 14))


def _replicas() -> table.Panel:
    panel = series_table(
        "Replicas",
        "Each replica that Prometheus knows: whether it answers, requests per second and the share that failed in the "
        "last minute, except health checks, the 99th percentile of their duration, memory, also as a share of its "
        "limit, workers, and the live model. Alert ServiceDown: monitoring/runbook.md#servicedown",
        [
            table_query(f"max by (instance) (up{{{INSTANCE}}})"),
            table_query(f"sum by (instance) ({_REQUESTS})"),
            # Nothing failed as long as no such series exists.
            table_query(
                f"(sum by (instance) ({_FAILED}) or 0 * sum by (instance) ({_REQUESTS})) "
                f"/ (sum by (instance) ({_REQUESTS}) > 0)"
            ),
            table_query(f"histogram_quantile(0.99, sum by (instance, le) ({_SECONDS})) >= 0"),
            table_query(f"sum by (instance) (app_memory_usage_bytes{{{INSTANCE}}})"),
            table_query(
                f"max by (instance) (app_memory_usage_bytes{{{INSTANCE}}} / (app_memory_limit_bytes{{{INSTANCE}}} > 0))"
            ),
            table_query(f"sum by (instance) (app_workers{{{INSTANCE}}})"),
            table_query(f"max by (instance, model_version) (model_info{{{INSTANCE}}} == 1)"),
        ],
        {
            "instance": "replica",
            "Value #A": "up",
            "Value #B": "requests/s",
            "Value #C": "errors",
            "Value #D": "p99",
            "Value #E": "memory",
            "Value #F": "of limit",
            "Value #G": "workers",
            "model_version": "model",
        },
        unit=units.NoUnit,
        no_value="None",
        join_by="instance",
        widths={
            "replica": 140,
            "up": 60,
            "requests/s": 90,
            "errors": 70,
            "p99": 80,
            "memory": 90,
            "of limit": 80,
            "workers": 80,
        },
    )
    up = ValueMap(
        options={
            "0": ValueMappingResult(text="DOWN", color=colours.BAD, index=0),
            "1": ValueMappingResult(text="up", color=colours.GOOD, index=1),
        }
    )
    coloured = DynamicConfigValue("custom.cellOptions", {"type": "color-text"})
    panel = panel.override_by_name("up", [DynamicConfigValue("mappings", [up]), coloured])
    for heading, unit, decimals in (
        ("requests/s", units.NoUnit, 1),
        ("errors", units.PercentUnit, 1),
        ("p99", units.Seconds, 1),
        ("memory", units.BytesIEC, 0),
        ("of limit", units.PercentUnit, 0),
    ):
        panel = panel.override_by_name(
            heading, [DynamicConfigValue("unit", unit), DynamicConfigValue("decimals", decimals)]
        )
    return panel
