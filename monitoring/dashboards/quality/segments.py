"""Of the dashboard "Quality": whom alarms concern."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table, timeseries
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.intervals import AT_LEAST, AT_MOST
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query, rows_now
from monitoring.dashboards.tables import rows

_TIMES_OTHERS = "times others'"


def add_segments(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("Segments")
    grid.line(10, _segments(), _times_others(), widths=(13, 11))


def _segments() -> table.Panel:
    """What is known of each segment."""

    def of_each(gauge: str) -> str:
        in_window = f"segment_rows{{{INSTANCE}}} > 0"
        return f"max by (segment) ({gauge}{{{INSTANCE}}} and on (job, instance, segment) {in_window})"

    panel = rows(
        "Outliers by segment",
        "Rows of each segment within the window, how many of them are outliers, with a 95 % interval, and how many "
        "times as often as in all other segments together, at the least. None: callers named no segment; other: beyond "
        "MAX_SEGMENTS. Alert SegmentOutlierRatioUneven: monitoring/runbook.md#segmentoutlierratiouneven",
        [
            *(
                rows_now(of_each(gauge))
                for gauge in (
                    "segment_rows",
                    "segment_outlier_ratio",
                    "segment_outlier_ratio_low",
                    "segment_outlier_ratio_high",
                )
            ),
            rows_now("max by (segment) (job_segment:segment_outlier_ratio_per_others:max5m >= 0)"),
        ],
        {
            "segment": "segment",
            "Value #A": "rows",
            "Value #B": "outliers",
            "Value #C": AT_LEAST,
            "Value #D": AT_MOST,
            "Value #E": _TIMES_OTHERS,
        },
        unit=units.PercentUnit,
        if_none="no rows",
        decimals=2,
        joined_by="segment",
        widths={AT_LEAST: 90, AT_MOST: 90, "outliers": 90, _TIMES_OTHERS: 140},
        largest_first=_TIMES_OTHERS,
    )
    for heading, unit, decimals in (("rows", units.LocaleFormat, 0), (_TIMES_OTHERS, units.NoUnit, 2)):
        panel = panel.override_by_name(
            heading, [DynamicConfigValue("unit", unit), DynamicConfigValue("decimals", decimals)]
        )
    return panel


def _times_others() -> timeseries.Panel:
    """What SegmentOutlierRatioUneven looks at."""
    return graph(
        "Times as often as in all others, at the least",
        "How many times as often rows of a segment are outliers as those of all others together: the lower end of its "
        "interval over the upper end of theirs, so that doubt speaks for the segment. "
        "Alert SegmentOutlierRatioUneven: monitoring/runbook.md#segmentoutlierratiouneven",
        units.NoUnit,
        query("max by (segment) (job_segment:segment_outlier_ratio_per_others:max5m)", "{{segment}}"),
        alert_line("threshold:segment_outlier_ratio_per_others:max"),
        decimals=2,
        at_least=2,
        wide=True,
    )
