"""Dashboard "Quality": arriving labels and the audit queue."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import bad_above, threshold
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query

# Predicted label, true label, legend and colour.
_OUTCOMES = (
    ("outlier", "outlier", "confirmed alarm", colours.GOOD),
    ("outlier", "inlier", "false alarm", colours.WARNING),
    ("inlier", "outlier", "missed outlier", colours.BAD),
    ("inlier", "inlier", "confirmed inlier", colours.NEUTRAL),
)


def add_labels(grid: Grid) -> None:
    """Add the panels on labels."""
    grid.add_row("Labels")
    grid.add_panels(8, _last_label(), _stored(), _age(), _refused(), widths=(3, 8, 7, 6))
    grid.add_panels(8, _audit_queue(), _pending())


def _last_label() -> stat.Panel:
    return number(
        "Last label",
        "Time since the last label. Alert NoFeedbackArriving: monitoring/runbook.md#nofeedbackarriving",
        units.Seconds,
        query(f"time() - max(feedback_last_timestamp_seconds{{{INSTANCE}}} > 0)", "ago", fast_scrape=True),
        decimals=0,
        thresholds=bad_above(threshold("threshold:feedback_silence_seconds:max"), warning_ratio=0.5),
        sparkline=False,
    ).no_value("never")


def _stored() -> timeseries.Panel:
    panel = graph(
        "Labels stored within an hour",
        "Labels by outcome: confirmed alarms, false alarms, missed outliers and confirmed inliers. Their counts do not "
        "show precision or recall, because not all rows are equally likely to be labelled.",
        units.LocaleFormat,
        *(
            query(
                f'round(sum(increase(feedback_total{{{INSTANCE}, predicted="{predicted}", label="{label}"}}[1h]))) > 0',
                outcome,
                fast_scrape=True,
            )
            for predicted, label, outcome, _ in _OUTCOMES
        ),
        decimals=0,
        stacked=True,
        soft_max=2,
    )
    for *_, outcome, colour in _OUTCOMES:
        panel = panel.override_by_name(outcome, [colours.fixed(colour)])
    return panel


def _age() -> timeseries.Panel:
    def age_quantile(q: float) -> str:
        return f"histogram_quantile({q}, sum by (le) (increase(feedback_age_seconds_bucket{{{INSTANCE}}}[1d])))"

    return graph(
        "Time from answer to label",
        "Median and 95th percentile of the time from answer to label, over one day; the shortest bucket is one minute. "
        "Answers younger than that delay are mostly unlabelled, so the figures do not reflect them yet.",
        units.Seconds,
        query(age_quantile(0.5), "p50", fast_scrape=True),
        query(age_quantile(0.95), "p95", fast_scrape=True),
    )


def _refused() -> timeseries.Panel:
    return graph(
        "Labels refused within an hour",
        "Refused labels by reason: the answer is unknown, the request is malformed or has no valid key, or the records "
        "are unavailable.",
        units.Short,
        query(
            f"round(sum by (reason) (increase(feedback_refused_total{{{INSTANCE}}}[1h]))) > 0",
            "{{reason}}",
            fast_scrape=True,
        ),
        decimals=0,
        soft_max=2,
    )


def _audit_queue() -> timeseries.Panel:
    return graph(
        "Audit queue",
        "Inliers that were sampled for the audit and have no label yet; `POST /audit/next` returns them. A queue that "
        "only grows is more than people can label: lower AUDIT_SHARE, the sampled share.",
        units.Short,
        query(f"max(audit_waiting_rows{{{INSTANCE}}})", "rows", fast_scrape=True),
        decimals=0,
        soft_max=10,
    )


def _pending() -> timeseries.Panel:
    return graph(
        "Pending labels",
        "Labels whose answers are not recorded yet. They are stored once the answer is recorded, and dropped after an "
        "hour otherwise.",
        units.Short,
        query(f"max(feedback_waiting_labels{{{INSTANCE}}})", "labels", fast_scrape=True),
        decimals=0,
        soft_max=10,
    )
