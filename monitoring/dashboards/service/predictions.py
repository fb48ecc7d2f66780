"""Dashboard "Service": outcomes of predictions, labels and scores."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, VERSION, quantile, query, rate
from monitoring.dashboards.shared_panels import mean_output, mean_score, outlier_ratio


def add_predictions(grid: Grid) -> None:
    """Add the panels on predictions."""
    grid.add_row("Predictions")
    grid.add_panels(9, _outcomes(), _error_ratio(), _rows_by_label())
    grid.add_panels(9, mean_output(), mean_score(), _score_quantiles(), outlier_ratio())


def _outcomes() -> timeseries.Panel:
    return graph(
        "Predictions per second by outcome",
        "Requests to the prediction routes: invalid is the caller's fault, error is ours.",
        units.RequestsPerSecond,
        query(rate("model_prediction_requests_total", VERSION, by="status"), "{{status}}", fast_scrape=True),
        decimals=1,
    )


def _error_ratio() -> timeseries.Panel:
    return graph(
        "Prediction error ratio",
        "Share of valid predictions that failed because of the service, over 5 minutes. "
        "Alert HighErrorRate: monitoring/runbook.md#higherrorrate",
        units.PercentUnit,
        query("job:model_prediction_errors_per_request:ratio_rate5m", "errors"),
        alert_line("threshold:prediction_error_ratio:max"),
        decimals=1,
    )


def _rows_by_label() -> timeseries.Panel:
    return graph(
        "Rows per second by label",
        "Scored rows by predicted label; a batch contains many rows.",
        "rows/s",
        query(rate("predicted_class_total", INSTANCE, by="class_name"), "{{class_name}}", fast_scrape=True),
        decimals=1,
    )


def _score_quantiles() -> timeseries.Panel:
    return graph(
        "Score quantiles",
        "Median, 5th and 1st percentile of the anomaly scores, estimated from buckets of width 0.05; lower is more "
        "abnormal.",
        units.NoUnit,
        query(quantile(0.5, "predictions_scores", INSTANCE), "median", fast_scrape=True),
        query(quantile(0.05, "predictions_scores", INSTANCE), "p5", fast_scrape=True),
        query(quantile(0.01, "predictions_scores", INSTANCE), "p1", fast_scrape=True),
        decimals=2,
        from_zero=False,
    )
