"""The dashboard "At a glance": overall health, for a wall screen.

It fits on 1920 by 1080 pixels without scrolling and has no controls.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DashboardRangeMapOptions,
    RangeMap,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import bad_above, bad_below, threshold
from monitoring.dashboards.base import new_dashboard
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import names, number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import FIRING, REQUESTS_OF_CALLERS, names_query, query, rate, table_query
from monitoring.dashboards.tables import series_table

# A week, in seconds: enough to get rows, train and evaluate within working hours.
_TIME_TO_TRAIN = 7 * 86400


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = new_dashboard(
        "At a glance",
        "isowatch-glance",
        "Is everything all right? For a wall screen; every number links to the dashboard with its details.",
    )
    grid = Grid(dashboard)
    grid.add_panels(7, _service(), _requests(), _errors(), _p95())
    grid.add_panels(7, _outliers(), _memory(), _training_due(), _firing_alerts())
    grid.add_panels(9, _model(), _outcomes(), _alert_list(), widths=(8, 9, 7))
    return dashboard


def _service() -> stat.Panel:
    panel = number(
        "Service",
        "UP if Prometheus reaches every replica, PARTLY if only some, DOWN if none. "
        "Alert ServiceDown: monitoring/runbook.md#servicedown",
        units.NoUnit,
        query('avg(up{job="service"}) or vector(0)', "share of replicas", fast_scrape=True),
        sparkline=False,
        wall=True,
    )
    some = DashboardRangeMapOptions(
        from_val=0.0001,
        to=0.9999,
        result=ValueMappingResult(text="PARTLY", color=colours.WALL_SHADE.format(colours.WARNING), index=2),
    )
    all_or_none = ValueMap(
        options={
            "0": ValueMappingResult(text="DOWN", color=colours.WALL_SHADE.format(colours.BAD), index=0),
            "1": ValueMappingResult(text="UP", color=colours.WALL_SHADE.format(colours.GOOD), index=1),
        }
    )
    return panel.mappings([all_or_none, RangeMap(options=some)]).links([_details("isowatch-service", "Service")])


def _requests() -> stat.Panel:
    return number(
        "Requests per second",
        "Requests to all routes except health checks and scrapes.",
        units.RequestsPerSecond,
        query(
            rate("flask_http_request_total", f'job="service", {REQUESTS_OF_CALLERS}'),
            "requests",
            fast_scrape=True,
        ),
        decimals=1,
        wall=True,
    ).links([_details("isowatch-service", "Service")])


def _errors() -> stat.Panel:
    return (
        number(
            "Errors",
            "Share of valid predictions that failed because of the service, over 5 minutes. "
            "Alert HighErrorRate: monitoring/runbook.md#higherrorrate",
            units.PercentUnit,
            query("max(job:model_prediction_errors_per_request:ratio_rate5m)", "errors"),
            decimals=1,
            thresholds=bad_above(threshold("threshold:prediction_error_ratio:max"), warning_ratio=0.1),
            wall=True,
        )
        .no_value("idle")
        .links([_details("isowatch-service", "Service")])
    )


def _p95() -> stat.Panel:
    return (
        number(
            "Prediction p95",
            "95th percentile of the prediction handler's duration, over 5 minutes. "
            "Alert SlowPredictionResponse: monitoring/runbook.md#slowpredictionresponse",
            units.Milliseconds,
            # ">= 0" removes NaN, the quantile of a model without requests.
            query("1000 * max(job_model_version:model_prediction_duration_seconds:p95_rate5m >= 0)", "p95"),
            decimals=1,
            thresholds=bad_above(1000 * threshold("threshold:prediction_p95_seconds:max"), warning_ratio=0.05),
            wall=True,
        )
        .no_value("idle")
        .links([_details("isowatch-service", "Service")])
    )


def _outliers() -> stat.Panel:
    return (
        number(
            "Outliers",
            "Share of rows predicted as outliers, over 5 minutes. Neither good nor bad by itself; a lasting difference "
            "from the share in training means that the data have changed.",
            units.PercentUnit,
            query("max(job:predicted_outliers_per_row:ratio_rate5m)", "outliers"),
            decimals=1,
            wall=True,
        )
        .no_value("idle")
        .links([_details("isowatch-predictions", "Predictions")])
    )


def _memory() -> stat.Panel:
    return number(
        "Memory",
        "Memory of all processes of the service, for the replica that uses most. "
        "Alert HighMemoryUsage: monitoring/runbook.md#highmemoryusage",
        units.BytesIEC,
        query('max(app_memory_usage_bytes{job="service"})', "memory", fast_scrape=True),
        decimals=0,
        thresholds=bad_above(threshold("threshold:memory_bytes:max")),
        wall=True,
    ).links([_details("isowatch-service", "Service")])


def _training_due() -> stat.Panel:
    return (
        number(
            "Next training due in",
            "Time until the live model reaches its maximum age, MODEL_MAX_AGE_DAYS; negative if it is older. "
            "Alert RetrainingNeeded: monitoring/runbook.md#retrainingneeded",
            units.Seconds,
            # A gauge that has not been set is 0, which would mean trained in 1970.
            query(
                'min(model_trained_timestamp_seconds{job="service"} > 0) + threshold:model_age_seconds:max - time()',
                "time left",
                fast_scrape=True,
            ),
            decimals=0,
            thresholds=bad_below(0, _TIME_TO_TRAIN),
            sparkline=False,
            wall=True,
        )
        .no_value("no model")
        .links([_details("isowatch-training", "Training")])
    )


def _firing_alerts() -> stat.Panel:
    return number(
        "Firing alerts",
        "All except Watchdog, which always fires to show that alerts are delivered.",
        units.NoUnit,
        query(f"count({FIRING}) or vector(0)", "alerts"),
        decimals=0,
        thresholds=ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=colours.GOOD), Threshold(value=1, color=colours.BAD)]),
        sparkline=False,
        wall=True,
    )


def _model() -> stat.Panel:
    return names(
        "Live model",
        "Its version: the time of training and the first digits of its hash. Several while replicas switch to a new "
        "model. Alert ModelMissing: monitoring/runbook.md#modelmissing",
        names_query(
            'max by (model_version) (model_info{job="service"} == 1) and on () (min(model_ready{job="service"}) == 1)',
            "model_version",
            "NO MODEL",
        ),
        coloured={"NO MODEL": colours.BAD},
        wall=True,
    ).links([_details("isowatch-training", "Training")])


def _outcomes() -> timeseries.Panel:
    return graph(
        "Predictions per second",
        "Requests to the prediction routes by outcome: invalid is the caller's fault, error is ours.",
        units.RequestsPerSecond,
        query(rate("model_prediction_requests_total", 'job="service"', by="status"), "{{status}}", fast_scrape=True),
        decimals=1,
        stacked=True,
    )


def _alert_list() -> table.Panel:
    return series_table(
        "Alert list",
        "Each firing alert and for how long its condition has been true. monitoring/runbook.md describes what to do.",
        # ALERTS_FOR_STATE includes pending alerts, so it is matched with the firing ones.
        [table_query(f'(time() - ALERTS_FOR_STATE{{alertname!="Watchdog"}}) and ignoring (alertstate) {FIRING}')],
        {"alertname": "alert", "severity": "severity", "instance": "instance", "Value": "active for"},
        unit=units.Seconds,
        no_value="None",
    )


def _details(uid: str, title: str) -> DashboardLink:
    """Return a link to the dashboard with the details, for the same time range."""
    return DashboardLink(title).type(DashboardLinkType.LINK).url(f"/d/{uid}?${{__url_time_range}}")
