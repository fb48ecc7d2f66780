"""Of the dashboard "Service": what the model says of the rows."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.answers import mean_output, mean_score, outlier_share
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, VERSION, quantile, query, rate


def add_predictions(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Predictions")
    grid.line(9, _outcomes(), _our_errors(), _rows())
    grid.line(9, mean_output(), mean_score(), _score_quantiles(), outlier_share())


def _outcomes() -> timeseries.Panel:
    """How predictions ended."""
    return graph(
        "Predictions a second by outcome",
        "Requests to the prediction routes: invalid is the caller's fault, error is ours.",
        units.RequestsPerSecond,
        query(rate("model_prediction_requests_total", VERSION, by="status"), "{{status}}", often=True),
        decimals=1,
    )


def _our_errors() -> timeseries.Panel:
    """What HighErrorRate looks at."""
    return graph(
        "Errors per prediction",
        "Predictions that failed through a fault of ours, of all that were well asked, over 5 minutes. "
        "Alert HighErrorRate: monitoring/runbook.md#higherrorrate",
        units.PercentUnit,
        query("job:model_prediction_errors_per_request:ratio_rate5m", "errors"),
        alert_line("threshold:prediction_error_ratio:max"),
        decimals=1,
    )


def _rows() -> timeseries.Panel:
    """How many rows were labelled."""
    return graph(
        "Rows a second by label",
        "Rows that were labelled; a batch holds many.",
        "rows/s",
        query(rate("predicted_class_total", INSTANCE, by="class_name"), "{{class_name}}", often=True),
        decimals=1,
    )


def _score_quantiles() -> timeseries.Panel:
    """How scores are spread."""
    return graph(
        "Scores: quantiles",
        "A hundredth, a twentieth and half of the rows score below these lines, estimated within steps of 0.05: the "
        "lower, the more abnormal.",
        units.NoUnit,
        query(quantile(0.5, "predictions_scores", INSTANCE), "half", often=True),
        query(quantile(0.05, "predictions_scores", INSTANCE), "a twentieth", often=True),
        query(quantile(0.01, "predictions_scores", INSTANCE), "a hundredth", often=True),
        decimals=2,
        from_zero=False,
    )
