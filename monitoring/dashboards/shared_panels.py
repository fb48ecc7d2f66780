"""Panels about the model's output, shared by several dashboards."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.graphs import graph
from monitoring.dashboards.queries import INSTANCE, query


def mean_output() -> timeseries.Panel:
    """Return the panel with the mean predicted label."""
    outliers = f'sum(increase(predictions_output_bucket{{{INSTANCE}, le="-1.0"}}[30s]))'
    labels = f"sum(increase(predictions_output_count{{{INSTANCE}}}[30s]))"
    return graph(
        "Mean output over 30 s",
        "Mean predicted label over 30 s: 1 if all rows were inliers, -1 if all were outliers.",
        units.NoUnit,
        # Computed from buckets, because rate and increase interpret a decreasing sum as a restart.
        query(f"1 - 2 * {outliers} / {labels}", "mean output", fast_scrape=True),
        decimals=3,
        from_zero=False,
    )


def mean_score() -> timeseries.Panel:
    """Return the panel with the mean anomaly score."""
    magnitude = f"sum(increase(prediction_score_magnitude_total{{{INSTANCE}}}[30s]))"
    scored = f"sum(increase(predictions_scores_count{{{INSTANCE}}}[30s]))"
    return (
        graph(
            "Mean score over 30 s",
            "Mean anomaly score of the rows over 30 s, between -1 and 0; lower is more abnormal.",
            units.NoUnit,
            query(f"-{magnitude} / {scored}", "mean score", fast_scrape=True),
            decimals=3,
            from_zero=False,
        )
        .min(-1)
        .max(0)
    )


def outlier_ratio() -> timeseries.Panel:
    """Return the panel with the outlier ratio, now and in training."""
    return graph(
        "Outlier ratio",
        "Share of rows predicted as outliers over 5 minutes, and the same share of the training rows. A lasting "
        "difference means that the data have changed since training. "
        "Alert OutlierRateShift: monitoring/runbook.md#outlierrateshift",
        units.PercentUnit,
        query("job:predicted_outliers_per_row:ratio_rate5m", "now"),
        query(f"max(model_training_outlier_ratio{{{INSTANCE}}})", "in training", fast_scrape=True),
        decimals=1,
    )
