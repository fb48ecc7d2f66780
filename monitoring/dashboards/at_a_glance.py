"""The dashboard "At a glance": whether all is well, on a screen on the wall.

It fits on 1920 by 1080 pixels without scrolling, and has nothing to choose.
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
from monitoring.dashboards.frame import new_dashboard
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import names, number
from monitoring.dashboards.queries import FIRING, named_or, query, rate, rows_now
from monitoring.dashboards.tables import rows

# What people and programs ask for; that Prometheus and health checks ask as well says nothing of the day.
_ASKED = 'job="service", url_rule!~"/metrics/?|/healthz|/readyz|/v2/health/.*"'

# A week, in seconds: enough to get rows, train and compare within working hours.
_TIME_TO_TRAIN = 7 * 86400


def build() -> Dashboard:
    """Make the dashboard."""
    dashboard = new_dashboard(
        "At a glance",
        "isowatch-glance",
        "Is all well? For a screen on the wall; everything on it leads to the dashboard with the details.",
    )
    grid = Grid(dashboard)
    grid.line(7, _service(), _requests(), _errors(), _slowest())
    grid.line(7, _outliers(), _memory(), _model_due(), _alerts())
    grid.line(9, _model(), _outcomes(), _firing(), widths=(8, 9, 7))
    return dashboard


def _service() -> stat.Panel:
    """Whether anybody answers."""
    panel = number(
        "Service",
        "UP when Prometheus reaches every replica, PARTLY when some, DOWN when none. "
        "Alert ServiceDown: monitoring/runbook.md#servicedown",
        units.NoUnit,
        query('avg(up{job="service"}) or vector(0)', "replicas that are up", often=True),
        sparkline=False,
        wall=True,
    )
    some = DashboardRangeMapOptions(
        from_val=0.0001,
        to=0.9999,
        result=ValueMappingResult(text="PARTLY", color=colours.ON_A_WALL.format(colours.WARNING), index=2),
    )
    words = ValueMap(
        options={
            "0": ValueMappingResult(text="DOWN", color=colours.ON_A_WALL.format(colours.BAD), index=0),
            "1": ValueMappingResult(text="UP", color=colours.ON_A_WALL.format(colours.GOOD), index=1),
        }
    )
    return panel.mappings([words, RangeMap(options=some)]).links([_details("isowatch-service", "Service")])


def _requests() -> stat.Panel:
    """How much is asked."""
    return number(
        "Requests a second",
        "Answers to all routes, without health checks and Prometheus's own questions.",
        units.RequestsPerSecond,
        query(rate("flask_http_request_duration_seconds_count", _ASKED), "requests", often=True),
        decimals=1,
        wall=True,
    ).links([_details("isowatch-service", "Service")])


def _errors() -> stat.Panel:
    """How much of it we fail."""
    return (
        number(
            "Errors",
            "Predictions that failed through a fault of ours, of all that were well asked, over 5 minutes. "
            "Alert HighErrorRate: monitoring/runbook.md#higherrorrate",
            units.PercentUnit,
            query("max(job:model_prediction_errors_per_request:ratio_rate5m)", "errors"),
            decimals=1,
            thresholds=bad_above(threshold("threshold:prediction_error_ratio:max"), warning_share=0.1),
            wall=True,
        )
        .no_value("idle")
        .links([_details("isowatch-service", "Service")])
    )


def _slowest() -> stat.Panel:
    """How long the slower answers take."""
    return (
        number(
            "p95 of a prediction",
            "19 of 20 predictions take less than this in the service, over 5 minutes. "
            "Alert SlowPredictionResponse: monitoring/runbook.md#slowpredictionresponse",
            units.Milliseconds,
            # A model that nobody asks has no duration, and NaN is not above 0.
            query("1000 * max(job_model_version:model_prediction_duration_seconds:p95_rate5m >= 0)", "p95"),
            decimals=1,
            thresholds=bad_above(1000 * threshold("threshold:prediction_p95_seconds:max"), warning_share=0.05),
            wall=True,
        )
        .no_value("idle")
        .links([_details("isowatch-service", "Service")])
    )


def _outliers() -> stat.Panel:
    """What the model says of the rows."""
    return (
        number(
            "Outliers",
            "Rows that the model labels outliers, of all rows, over 5 minutes. Neither good nor bad by itself; a share "
            "that moves away from that of the training means that the data have changed.",
            units.PercentUnit,
            query("max(job:predicted_outliers_per_row:ratio_rate5m)", "outliers"),
            decimals=1,
            wall=True,
        )
        .no_value("idle")
        .links([_details("isowatch-predictions", "Predictions")])
    )


def _memory() -> stat.Panel:
    """What the service holds."""
    return number(
        "Memory",
        "Memory of all processes of the service, of the replica that holds most. "
        "Alert HighMemoryUsage: monitoring/runbook.md#highmemoryusage",
        units.BytesIEC,
        query('max(app_memory_usage_bytes{job="service"})', "memory", often=True),
        decimals=0,
        thresholds=bad_above(threshold("threshold:memory_bytes:max")),
        wall=True,
    ).links([_details("isowatch-service", "Service")])


def _model_due() -> stat.Panel:
    """How long the answers' source may go on."""
    return (
        number(
            "Next training due in",
            "Time until the live model is as old as MODEL_MAX_AGE_DAYS allows; negative when it is older. "
            "Alert RetrainingNeeded: monitoring/runbook.md#retrainingneeded",
            units.Seconds,
            # A gauge that was never set is 0: trained in 1970.
            query(
                'min(model_trained_timestamp_seconds{job="service"} > 0) + threshold:model_age_seconds:max - time()',
                "left",
                often=True,
            ),
            decimals=0,
            thresholds=bad_below(0, _TIME_TO_TRAIN),
            sparkline=False,
            wall=True,
        )
        .no_value("no model")
        .links([_details("isowatch-training", "Training")])
    )


def _alerts() -> stat.Panel:
    """Whether somebody has to do something."""
    return number(
        "Alerts that fire",
        "All but Watchdog, which fires always, to show that alerts come through.",
        units.NoUnit,
        query(f"count({FIRING}) or vector(0)", "alerts"),
        decimals=0,
        # The first is already one too many.
        thresholds=ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=None, color=colours.GOOD), Threshold(value=1, color=colours.BAD)]),
        sparkline=False,
        wall=True,
    )


def _model() -> stat.Panel:
    """Which model answers."""
    return names(
        "Model that answers",
        "Its version: when it was trained, and the first digits of its forest's sha256. More than one while replicas "
        "take a new one over. Alert ModelMissing: monitoring/runbook.md#modelmissing",
        named_or(
            'max by (model_version) (model_info{job="service"} == 1) and on () (min(model_ready{job="service"}) == 1)',
            "model_version",
            "NO MODEL",
        ),
        coloured={"NO MODEL": colours.BAD},
        wall=True,
    ).links([_details("isowatch-training", "Training")])


def _outcomes() -> timeseries.Panel:
    """How predictions ended."""
    return graph(
        "Predictions a second",
        "Requests to the prediction routes by how they ended: invalid is the caller's fault, error is ours.",
        units.RequestsPerSecond,
        query(rate("model_prediction_requests_total", 'job="service"', by="status"), "{{status}}", often=True),
        decimals=1,
        stacked=True,
    )


def _firing() -> table.Panel:
    """What fires, and since when."""
    return rows(
        "What fires",
        "Each alert that fires, with how long it has been true. What to do stands under its name in "
        "monitoring/runbook.md.",
        # When an alert became true is known of pending ones as well; those that fire are chosen.
        [rows_now(f'(time() - ALERTS_FOR_STATE{{alertname!="Watchdog"}}) and ignoring (alertstate) {FIRING}')],
        {"alertname": "alert", "severity": "severity", "instance": "where", "Value": "for"},
        unit=units.Seconds,
        if_none="Nothing",
    )


def _details(uid: str, title: str) -> DashboardLink:
    """Lead to the dashboard with the details, at the same time."""
    return DashboardLink(title).type(DashboardLinkType.LINK).url(f"/d/{uid}?${{__url_time_range}}")
