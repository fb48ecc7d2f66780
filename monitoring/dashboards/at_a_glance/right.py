"""Dashboard "At a glance": is the live model right, and are the data drifting."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.common import BigValueTextMode
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import bad_below
from monitoring.dashboards.base import details_link
from monitoring.dashboards.latest_values import names, number
from monitoring.dashboards.queries import names_query, query
from monitoring.dashboards.shared_panels import quality_figure

_NOT_WATCHED = "NOT WATCHED"


def model() -> stat.Panel:
    """Return the name and version of the live model."""
    return names(
        "Live model",
        "Its name and version: the time of training and the first digits of its hash. Several while replicas switch to "
        "a new model. Alert ModelMissing: monitoring/runbook.md#modelmissing",
        names_query(
            'max by (model_name, model_version) (model_info{job="service"} == 1) '
            'and on () (min(model_ready{job="service"}) == 1)',
            "model_version",
            "NO MODEL",
        ).legend_format("{{model_name}} {{model_version}}"),
        coloured={" NO MODEL": colours.BAD, "NO MODEL": colours.BAD},
        wall=True,
    ).links([details_link("isowatch-training", "Training")])


def quality(metric: str) -> stat.Panel:
    """Return a figure with its interval and number of labels; without enough labels, how many are missing."""
    share = {"precision": "of the alarms are outliers", "recall": "of the outliers are found"}[metric]
    return quality_figure(
        f"Is it right? {metric.capitalize()}",
        f"What share {share}, with its 95 % interval and the number of labels behind it. Unknown without labels: "
        "label rows, see docs/quality.md.",
        metric,
        'job="service"',
        wall=True,
    ).links([details_link("isowatch-quality", "Quality")])


def drift() -> stat.Panel:
    """Return whether a drift is confirmed, or whether anything looks for one."""
    # The first of these that has a series: drifting detectors, a full window, calibrated detectors.
    drifting = 'max by (detector) (drift_active{job="service"} == 1)'
    full = 'label_replace(max(drift_window_fill_ratio{job="service"}) == 1, "detector", "no drift", "", "")'
    watched = 'label_replace(max(drift_threshold{job="service"}) > 0, "detector", "not enough rows yet", "", "")'
    panel = names(
        "Is it drifting?",
        "The detectors that have confirmed a lasting change. NOT WATCHED if the live model was trained without "
        "detectors, for example on fewer than 4,000 rows, or if no recorder runs. "
        "Alert DriftDetected: monitoring/runbook.md#driftdetected "
        "Alert DriftNotWatched: monitoring/runbook.md#driftnotwatched",
        names_query(f"({drifting}) or on () ({full} and on () {watched}) or on () {watched}", "detector", _NOT_WATCHED),
        coloured={"no drift": colours.GOOD, "not enough rows yet": colours.NEUTRAL, _NOT_WATCHED: colours.WARNING},
        wall=True,
    )
    for detector in ("cvm", "mmd", "counts", "score", "outlier_rate"):
        panel = panel.override_by_name(
            detector,
            [colours.fixed(colours.for_wall(colours.WARNING)), DynamicConfigValue("displayName", f"DRIFT: {detector}")],
        )
    return panel.links([details_link("isowatch-drift", "Drift")])


def outliers() -> stat.Panel:
    """Return the outlier ratio, now and in training."""
    return (
        number(
            "Outliers now and in training",
            "Share of rows predicted as outliers, over 5 minutes, and the same share of the training rows. A lasting "
            "difference means that the data have changed.",
            units.PercentUnit,
            query("max(job:predicted_outliers_per_row:ratio_rate5m)", "now"),
            query('max(model_training_outlier_ratio{job="service"})', "in training", fast_scrape=True),
            decimals=1,
            sparkline=False,
            wall=True,
            name_size=True,
        )
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .no_value("idle")
        .links([details_link("isowatch-predictions", "Predictions")])
    )


def training_due() -> stat.Panel:
    """Return the age of the live model."""
    trained = 'min(model_trained_timestamp_seconds{job="service"} > 0)'
    return (
        number(
            "Age of the model, and time until training is due",
            "Time since the live model was trained, and until it reaches its maximum age, MODEL_MAX_AGE_DAYS; "
            "negative if it is older. Alert RetrainingNeeded: monitoring/runbook.md#retrainingneeded",
            units.Seconds,
            # A gauge that has not been set is 0, which would mean trained in 1970.
            query(f"time() - {trained}", "old", fast_scrape=True),
            query(f"{trained} + max(threshold:model_age_seconds:max) - time()", "left", fast_scrape=True),
            decimals=0,
            thresholds=bad_below(-1e12, 0),
            sparkline=False,
            wall=True,
            name_size=True,
        )
        .override_by_name("old", [colours.fixed(colours.for_wall(colours.NEUTRAL))])
        .text_mode(BigValueTextMode.VALUE_AND_NAME)
        .no_value("no model")
        .links([details_link("isowatch-training", "Training")])
    )
