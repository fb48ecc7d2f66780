"""Dashboard "Quality": outlier ratio by segment."""

from __future__ import annotations

from grafana_foundation_sdk.builders import table, timeseries
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.graphs import graph
from monitoring.dashboards.intervals import LOWER_BOUND, UPPER_BOUND
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query, table_query
from monitoring.dashboards.tables import series_table

_RELATIVE = "relative to others"


def add_segments(grid: Grid) -> None:
    """Add the panels on segments."""
    grid.add_row("Segments")
    grid.add_panels(10, _segments(), _relative_ratio(), widths=(13, 11))


def _segments() -> table.Panel:
    def of_each(gauge: str) -> str:
        in_window = f"segment_rows{{{INSTANCE}}} > 0"
        return f"max by (segment) ({gauge}{{{INSTANCE}}} and on (job, instance, segment, model_version) {in_window})"

    panel = series_table(
        "Outliers by segment",
        "Rows of each segment within the window, the share predicted as outliers with its 95 % interval, and the lower "
        "bound of that share relative to all other segments. Segment none: the caller named no segment; other: beyond "
        "MAX_SEGMENTS. Alert SegmentOutlierRatioUneven: monitoring/runbook.md#segmentoutlierratiouneven",
        [
            *(
                table_query(of_each(gauge))
                for gauge in (
                    "segment_rows",
                    "segment_outlier_ratio",
                    "segment_outlier_ratio_low",
                    "segment_outlier_ratio_high",
                )
            ),
            table_query("max by (segment) (job_segment_model_version:segment_outlier_ratio_per_others:max5m >= 0)"),
        ],
        {
            "segment": "segment",
            "Value #A": "rows",
            "Value #B": "outliers",
            "Value #C": LOWER_BOUND,
            "Value #D": UPPER_BOUND,
            "Value #E": _RELATIVE,
        },
        unit=units.PercentUnit,
        no_value="no rows",
        decimals=2,
        join_by="segment",
        widths={LOWER_BOUND: 110, UPPER_BOUND: 110, "outliers": 90, _RELATIVE: 140},
        sort_descending_by=_RELATIVE,
    )
    for heading, unit, decimals in (("rows", units.LocaleFormat, 0), (_RELATIVE, units.NoUnit, 2)):
        panel = panel.override_by_name(
            heading, [DynamicConfigValue("unit", unit), DynamicConfigValue("decimals", decimals)]
        )
    return panel


def _relative_ratio() -> timeseries.Panel:
    return graph(
        "Outlier ratio relative to other segments",
        "How many times as often a segment is flagged as all others together: the lower bound of its interval divided "
        "by the upper bound of theirs, a conservative estimate; the ten largest. "
        "Alert SegmentOutlierRatioUneven: monitoring/runbook.md#segmentoutlierratiouneven",
        units.NoUnit,
        query(
            "topk(10, max by (segment) (job_segment_model_version:segment_outlier_ratio_per_others:max5m) > 0)",
            "{{segment}}",
        ),
        alert_line("threshold:segment_outlier_ratio_per_others:max"),
        decimals=2,
        soft_max=2,
        legend_right=True,
    )
