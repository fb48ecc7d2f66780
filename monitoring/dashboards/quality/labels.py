"""Of the dashboard "Quality": labels that come, and rows that wait for one."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards import colours
from monitoring.dashboards.alert_thresholds import bad_above, threshold
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import number
from monitoring.dashboards.queries import INSTANCE, query

# What a label makes of an answer: the answer, the label, what that is called, and its colour.
_VERDICTS = (
    ("outlier", "outlier", "found", colours.GOOD),
    ("outlier", "inlier", "false alarm", colours.WARNING),
    ("inlier", "outlier", "missed", colours.BAD),
    ("inlier", "inlier", "rightly passed", colours.NEUTRAL),
)


def add_labels(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Labels")
    grid.line(8, _last(), _arrived(), _age(), _refused(), widths=(3, 8, 7, 6))
    grid.line(8, _audit_queue(), _waiting())


def _last() -> stat.Panel:
    """What NoFeedbackArriving looks at."""
    return number(
        "Last label",
        "Time since a label last came. Alert NoFeedbackArriving: monitoring/runbook.md#nofeedbackarriving",
        units.Seconds,
        query(f"time() - max(feedback_last_timestamp_seconds{{{INSTANCE}}} > 0)", "ago", often=True),
        decimals=0,
        thresholds=bad_above(threshold("threshold:feedback_silence_seconds:max"), warning_share=0.5),
        sparkline=False,
    ).no_value("never")


def _arrived() -> timeseries.Panel:
    """What labels said."""
    panel = graph(
        "Labels that came within an hour",
        "Labels by what they make of the answer: outliers found, false alarms, outliers missed, and inliers that "
        "rightly passed. How many there are of each says nothing of precision or recall, since rows are not labelled "
        "evenly.",
        units.LocaleFormat,
        *(
            query(
                f'round(sum(increase(feedback_total{{{INSTANCE}, predicted="{predicted}", label="{label}"}}[1h])))',
                verdict,
                often=True,
            )
            for predicted, label, verdict, _ in _VERDICTS
        ),
        decimals=0,
        stacked=True,
        at_least=2,
    )
    for *_, verdict, colour in _VERDICTS:
        panel = panel.override_by_name(verdict, [colours.fixed(colour)])
    return panel


def _age() -> timeseries.Panel:
    """How late labels come."""

    def share(of: float) -> str:
        return f"histogram_quantile({of}, sum by (le) (increase(feedback_age_seconds_bucket{{{INSTANCE}}}[1d])))"

    return graph(
        "From answer to label",
        "Half of the labels, and 19 of 20, came within this time after the answer; of the labels of a day. What took "
        "less than a minute is not told apart. Figures know nothing of what is younger.",
        units.Seconds,
        query(share(0.5), "p50", often=True),
        query(share(0.95), "p95", often=True),
    )


def _refused() -> timeseries.Panel:
    """Labels that were not taken."""
    return graph(
        "Labels refused within an hour",
        "Labels that were not taken: of an answer that nobody knows, malformed, without a key, or while the records "
        "could not be used.",
        units.Short,
        query(f"round(sum by (reason) (increase(feedback_refused_total{{{INSTANCE}}}[1h])))", "{{reason}}", often=True),
        decimals=0,
        at_least=2,
    )


def _audit_queue() -> timeseries.Panel:
    """What waits to be labelled."""
    return graph(
        "Audit queue",
        "Inliers that were drawn for an audit and have no label yet; `GET /audit/next` hands them out. A queue that "
        "only grows is more than people can label: AUDIT_SHARE says how many are drawn.",
        units.Short,
        query(f"max(audit_waiting_rows{{{INSTANCE}}})", "rows", often=True),
        decimals=0,
        at_least=10,
    )


def _waiting() -> timeseries.Panel:
    """Labels that came before their record."""
    return graph(
        "Labels that wait for their record",
        "Labels of answers that are not written yet. They are taken when the record is there, and dropped if it is not "
        "within an hour.",
        units.Short,
        query(f"max(feedback_waiting_labels{{{INSTANCE}}})", "labels", often=True),
        decimals=0,
        at_least=10,
    )
