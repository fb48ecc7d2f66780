"""What the model answers, over time: panels that several dashboards show."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.graphs import graph
from monitoring.dashboards.queries import INSTANCE, query


def mean_output() -> timeseries.Panel:
    """The average label of half a minute."""
    outliers = f'sum(increase(predictions_output_bucket{{{INSTANCE}, le="-1.0"}}[30s]))'
    labels = f"sum(increase(predictions_output_count{{{INSTANCE}}}[30s]))"
    return graph(
        "Average output over 30 s",
        "Mean of the labels given in 30 s: 1 if all rows were inliers, -1 if all were outliers.",
        units.NoUnit,
        # Counted by bucket, because a sum that also falls cannot be told from a counter that began again.
        query(f"1 - 2 * {outliers} / {labels}", "average output", often=True),
        decimals=3,
        from_zero=False,
    )


def mean_score() -> timeseries.Panel:
    """The average score of half a minute."""
    magnitude = f"sum(increase(prediction_score_magnitude_total{{{INSTANCE}}}[30s]))"
    scored = f"sum(increase(predictions_scores_count{{{INSTANCE}}}[30s]))"
    return graph(
        "Average score over 30 s",
        "Mean anomaly score of the rows of 30 s, between -1 and 0: the lower, the more abnormal.",
        units.NoUnit,
        query(f"-{magnitude} / {scored}", "average score", often=True),
        decimals=3,
        from_zero=False,
    )


def outlier_share() -> timeseries.Panel:
    """How many outliers there are, and how many there were in the training."""
    return graph(
        "Outliers per row",
        "Rows labelled outliers, of all rows, over 5 minutes, beside the share of the rows that the model was trained "
        "on. A lasting distance means that the data are no longer those of the training. "
        "Alert OutlierRateShift: monitoring/runbook.md#outlierrateshift",
        units.PercentUnit,
        query("job:predicted_outliers_per_row:ratio_rate5m", "now"),
        query(f"max(model_training_outlier_ratio{{{INSTANCE}}})", "in the training", often=True),
        decimals=1,
    )
