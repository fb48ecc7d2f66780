"""Panels about the model's output and its quality, shared by several dashboards."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.builders.common import VizTextDisplayOptions
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards import colours
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.queries import INSTANCE, instant_query, query

# Of each figure: the labels that it is estimated from, and its target.
_FIGURES = {
    "precision": ("alarm", "threshold:model_precision:min"),
    "recall": ("audited", "threshold:model_recall:min"),
}

# Pixels of names and of values: four of each fit beside each other.
_WALL_TEXT = VizTextDisplayOptions().title_size(22).value_size(38)
_TEXT = VizTextDisplayOptions().title_size(14).value_size(26)


def quality_figure(title: str, description: str, metric: str, selector: str, *, wall: bool = False) -> stat.Panel:
    """Return a figure beside its interval and number of labels.

    It is green or red only if its whole interval is above or below the target: few labels prove neither.

    Parameters
    ----------
    title, description
        As in ``graphs.graph``; what the colours mean and the alert's runbook are added to the description.
    metric
        ``precision`` or ``recall``.
    selector
        Label matchers.
    wall
        Whether it is for a wall screen.
    """
    kind, target = _FIGURES[metric]

    def of_figure(bound: str = "") -> str:
        # Unknown values are NaN.
        return f'max(model_quality{bound}{{{selector}, metric="{metric}"}} >= 0)'

    known, low, high, goal = of_figure(), of_figure("_low"), of_figure("_high"), f"scalar({target})"
    labels = f'max(model_quality_labels{{{selector}, kind="{kind}"}} >= 0)'
    estimates = {
        "enough": (f"{known} and ({low} >= {goal})", colours.GOOD),
        "too low": (f"{known} and ({high} < {goal})", colours.BAD),
        "not sure yet": (f"{known} and ({low} < {goal}) and ({high} >= {goal})", colours.WARNING),
    }
    neutral = {"at least": low, "at most": high}
    counts = {"unknown; labels so far": f"{labels} unless {known}", "labels": f"{labels} and {known}"}
    alert = f"{metric.capitalize()}BelowTarget"
    panel = number(
        title,
        f"{description} Enough or too low means that the whole 95 % interval is above or below the target; not sure "
        "yet, that the target lies within it and more labels are needed. "
        f"Alert {alert}: monitoring/runbook.md#{alert.lower()}",
        units.PercentUnit,
        # Instant, because a range would also show a state that has passed.
        *(instant_query(expression, name) for name, (expression, _) in estimates.items()),
        *(instant_query(expression, name) for name, expression in (neutral | counts).items()),
        decimals=0 if wall else 1,
        sparkline=False,
        wall=wall,
    ).text_mode(BigValueTextMode.VALUE_AND_NAME)
    panel = panel.text(_WALL_TEXT if wall else _TEXT)

    def shade(colour: str) -> DynamicConfigValue:
        return colours.fixed(colours.for_wall(colour) if wall else colour)

    for name, (_, colour) in estimates.items():
        panel = panel.override_by_name(name, [shade(colour)])
    for name in neutral:
        panel = panel.override_by_name(name, [shade(colours.NEUTRAL)])
    whole = [DynamicConfigValue("unit", units.LocaleFormat), DynamicConfigValue("decimals", 0)]
    for name in counts:
        panel = panel.override_by_name(name, [*whole, shade(colours.NEUTRAL)])
    return panel.no_value("unknown")


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
