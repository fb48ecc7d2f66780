"""Of the dashboard "Drift": how far rows and answers are from those of the training."""

from __future__ import annotations

from grafana_foundation_sdk.builders import timeseries
from grafana_foundation_sdk.models import units

from monitoring.dashboards.alert_thresholds import alarm_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query, rate


def add_statistics(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Distances")
    grid.line(10, _statistics(), _medians())
    grid.line(9, _features())


def _statistics() -> timeseries.Panel:
    """How close each detector is to an alarm."""
    # Without detectors the threshold is 0.
    ratio = f"drift_last_stat{{{INSTANCE}}} / (drift_threshold{{{INSTANCE}}} > 0)"
    return graph(
        "Statistic over threshold",
        "The last statistic of each detector, divided by the line that gives a first alarm: 1 is that line. Above it "
        "now and then is expected; staying above it is a drift.",
        units.NoUnit,
        query(f"max by (detector) ({ratio})", "{{detector}}", often=True),
        alarm_line(),
        decimals=2,
    )


def _medians() -> timeseries.Panel:
    """How close each detector is to an alarm, without the odd window."""
    by_bucket = rate("drift_test_stat_bucket", INSTANCE, by="detector, le")
    return graph(
        "Statistic over threshold: median",
        "Half of the checks of the last moments lie below these lines, estimated within the limits of the histogram. "
        "Every row is a check, so this is steadier than the last statistic alone.",
        units.NoUnit,
        query(f"histogram_quantile(0.5, {by_bucket})", "{{detector}}", often=True),
        alarm_line(),
        decimals=2,
    )


def _features() -> timeseries.Panel:
    """Which feature has moved."""
    return graph(
        "Distance per feature",
        "How far the last rows are from those of the training in each feature: the largest is what has moved. 1 is "
        "exceeded by one window in a thousand while nothing changes; 0 is never to be seen for long.",
        units.NoUnit,
        query(f"max by (feature_name) (drift_feature_distance{{{INSTANCE}}})", "{{feature_name}}", often=True),
        decimals=2,
        at_least=1,
        wide=True,
    )
