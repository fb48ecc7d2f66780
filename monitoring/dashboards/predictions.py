"""The dashboard "Predictions": distributions of confidences, labels and scores, and their difference from training."""

from __future__ import annotations

from collections.abc import Sequence

from grafana_foundation_sdk.builders import bargauge, timeseries
from grafana_foundation_sdk.builders.common import VizTextDisplayOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import BarGaugeSizing

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.base import drift_events, instance_variable, new_dashboard
from monitoring.dashboards.buckets import Bucket, consecutive_buckets
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import bar_gauge
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, instant_query, quantile, query, rate
from monitoring.dashboards.shared_panels import mean_output, mean_score, outlier_ratio

_ANSWERED = f'{INSTANCE}, status="success"'

# All buckets of the histogram, lowest confidence first.
_CONFIDENCES = [Bucket(None, 0.1), *consecutive_buckets([step / 10 for step in range(1, 11)])]

# The range in which forests score. Scores outside are rare and share one bar at each end.
_SCORE_BOUNDS = [step / 20 for step in range(-16, -6)]
_SCORES = [Bucket(None, _SCORE_BOUNDS[0]), *consecutive_buckets(_SCORE_BOUNDS), Bucket(_SCORE_BOUNDS[-1], None)]

# Pixels; without a maximum, two bars would fill the panel.
_MAX_BAR_HEIGHT = 60

# Pixels. Grafana reserves as much height beside thin bars as names of this size need.
_TEXT_BESIDE_THIN_BARS = VizTextDisplayOptions().title_size(11).value_size(16)


def build() -> Dashboard:
    """Build the dashboard."""
    dashboard = (
        new_dashboard(
            "Predictions",
            "isowatch-predictions",
            "What the model predicts, and with which confidence. Series recorded for alerts include all replicas; "
            "everything else follows the selected instances.",
        )
        .with_variable(instance_variable())
        .annotation(drift_events())
    )
    grid = Grid(dashboard)
    grid.add_row("Confidence")
    grid.add_panels(10, _mean_confidence(), _rate_by_confidence(), widths=(10, 14))
    grid.add_row("Totals in the time range")
    # High enough for eleven bars and a title without scrolling.
    grid.add_panels(12, _rows_by_confidence(), _rows_by_label(), _rows_by_score(), widths=(8, 6, 10))
    grid.add_row("Labels and scores")
    grid.add_panels(9, _by_version(), outlier_ratio())
    grid.add_panels(9, mean_score(), _score_quantiles(), mean_output())
    grid.add_row("Values that training did not see")
    grid.add_panels(9, _unfamiliar_values(), _unfamiliar_by_reason(), widths=(14, 10))
    grid.add_row("Alarms")
    grid.add_panels(10, _drivers_of_alarms(), _explained_alarms(), widths=(16, 8))
    return dashboard


def _by_version() -> timeseries.Panel:
    return graph(
        "Predictions per second by model version",
        "Answered requests to the prediction routes, by the version that answered. Two versions at once are a switch "
        "that is not finished, or replicas that differ.",
        units.RequestsPerSecond,
        query(
            f"topk(10, {rate('model_prediction_requests_total', _ANSWERED, by='model_version')} > 0)",
            "{{model_version}}",
            fast_scrape=True,
        ),
        decimals=1,
        stacked=True,
        legend_right=True,
    )


def _score_quantiles() -> timeseries.Panel:
    return (
        graph(
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
        .min(-1)
        .max(0)
    )


def _unfamiliar_values() -> timeseries.Panel:
    return graph(
        "Unfamiliar values per expected one",
        "Values of each column that are outside of what training saw, as a multiple of what is expected of rows like "
        "those in training: 2 in n + 1 rows after training on n. Above the line, the traffic has values that the model "
        "cannot judge. Alert UnfamiliarValues: monitoring/runbook.md#unfamiliarvalues",
        units.NoUnit,
        query("topk(10, job_feature:unfamiliar_values_per_expected:ratio_increase30m > 0)", "{{feature_name}}"),
        alert_line("threshold:unfamiliar_values_per_expected:max"),
        decimals=1,
        legend_right=True,
    )


def _unfamiliar_by_reason() -> timeseries.Panel:
    return graph(
        "Unfamiliar values by reason",
        "Values per second that are outside of what training saw: beyond the training range, a level that no training "
        "row had, or missing although training had all values.",
        "values/s",
        query(
            f"sum by (reason) (rate(unfamiliar_values_total{{{INSTANCE}}}[$__rate_interval])) > 0",
            "{{reason}}",
            fast_scrape=True,
        ),
        decimals=2,
        stacked=True,
    )


def _drivers_of_alarms() -> timeseries.Panel:
    return graph(
        "What drives alarms",
        "Positive contributions of each feature to alarms, as a share of all, stacked: what made these rows abnormal. "
        "The ten features with most have their own colour. A feature that takes over is a change of the traffic, even "
        "if the number of alarms stays the same.",
        units.PercentUnit,
        query(
            f"sum by (feature_name) (increase(alarm_contribution_total{{{INSTANCE}}}[10m])) / ignoring(feature_name) "
            f"group_left () (sum(increase(alarm_contribution_total{{{INSTANCE}}}[10m])) > 0)",
            "{{feature_name}}",
        ),
        decimals=0,
        stacked=True,
        legend_right=True,
        soft_max=1,
    )


def _explained_alarms() -> timeseries.Panel:
    return graph(
        "Alarms by explanation",
        "Rows per second that are alarms, by what became of their explanation: skipped means that there were more than "
        "the recorder explains in 3 % of a core.",
        "rows/s",
        query(
            f"sum by (result) (rate(alarm_explanations_total{{{INSTANCE}}}[$__rate_interval])) > 0",
            "{{result}}",
            fast_scrape=True,
        ),
        decimals=2,
        stacked=True,
    )


def _mean_confidence() -> timeseries.Panel:
    return graph(
        "Mean confidence",
        "Mean confidence of the labels over one minute. Confidence is the probability that a threshold from "
        "other training rows, with the same forest, gives the same label: 1 is far from the threshold, 0.5 is on it. "
        "Alert LowPredictionConfidence: monitoring/runbook.md#lowpredictionconfidence",
        units.NoUnit,
        query("job:prediction_confidence:avg_rate1m", "mean"),
        alert_line("threshold:prediction_confidence:min"),
        decimals=3,
        soft_max=1,
    )


def _rate_by_confidence() -> timeseries.Panel:
    panel = graph(
        "Rows per second by confidence",
        "Scored rows by confidence of the label, stacked. Red that replaces green means that more rows score close "
        "to the threshold.",
        "rows/s",
        *(
            query(
                f"({bucket.expression('rate', 'prediction_confidence', INSTANCE, '$__rate_interval')}) > 0",
                bucket.name,
                fast_scrape=True,
            )
            for bucket in _CONFIDENCES
        ),
        decimals=1,
        stacked=True,
        legend_right=True,
    )
    for bucket, colour in zip(_CONFIDENCES, colours.BAD_TO_GOOD, strict=True):
        panel = panel.override_by_name(bucket.name, [colours.fixed(colour)])
    return panel


def _rows_by_confidence() -> bargauge.Panel:
    panel = _one_bar_per_bucket(
        "Rows by confidence",
        "Scored rows in the time range, by confidence of the label.",
        "prediction_confidence",
        _CONFIDENCES,
    )
    for bucket, colour in zip(_CONFIDENCES, colours.BAD_TO_GOOD, strict=True):
        panel = panel.override_by_name(bucket.name, [colours.fixed(colour)])
    return panel


def _rows_by_label() -> bargauge.Panel:
    panel = bar_gauge(
        "Rows by label",
        "Scored rows in the time range, by predicted label.",
        units.LocaleFormat,
        instant_query(
            f"sum by (class_name) (increase(predicted_class_total{{{INSTANCE}}}[$__range]))", "{{class_name}}"
        ),
        decimals=0,
    )
    panel = panel.sizing(BarGaugeSizing.MANUAL).max_viz_height(_MAX_BAR_HEIGHT)
    for name in ("inlier", "outlier"):
        panel = panel.override_by_name(name, [colours.fixed(colours.BY_LEGEND[name])])
    return panel


def _rows_by_score() -> bargauge.Panel:
    return _one_bar_per_bucket(
        "Rows by score",
        "Scored rows in the time range, by anomaly score; lower is more abnormal.",
        "predictions_scores",
        _SCORES,
    )


def _one_bar_per_bucket(title: str, description: str, histogram: str, buckets: Sequence[Bucket]) -> bargauge.Panel:
    queries = [
        instant_query(bucket.expression("increase", histogram, INSTANCE, "$__range"), bucket.name) for bucket in buckets
    ]
    return bar_gauge(title, description, units.LocaleFormat, *queries, decimals=0).text(_TEXT_BESIDE_THIN_BARS)
