"""Dashboard "Quality": precision, recall and other figures, with their intervals."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import (
    DashboardSpecialValueMapOptions,
    DynamicConfigValue,
    SpecialValueMap,
    SpecialValueMatch,
    ValueMap,
    ValueMappingResult,
)

from monitoring.dashboards.alert_thresholds import alert_line
from monitoring.dashboards.intervals import LOWER_BOUND, UPPER_BOUND, ratio_with_interval
from monitoring.dashboards.latest_values import number
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.queries import INSTANCE, query, table_query
from monitoring.dashboards.shared_panels import quality_figure
from monitoring.dashboards.tables import series_table

_UNKNOWN = "not enough labels"

# As in docs/quality.md; names that are words already are shown as they are.
_NAMES = {
    "average_precision": "average precision",
    "f1": "F1",
    "false_negative_rate": "false-negative rate",
    "roc_auc": "ROC AUC",
}

# The first two have four values each.
_WIDTHS = (10, 10, 4)


def add_figures(grid: Grid) -> None:
    """Add the panels on figures."""
    grid.add_row("Figures")
    numbers = (_precision_now(), _recall_now(), _unlabelled_alarms())
    grid.add_panels(5, *numbers, widths=_WIDTHS)
    grid.add_panels(9, _precision(), _recall(), _all_figures(), widths=(8, 8, 8))


def _figure(metric: str, bound: str = "") -> str:
    """Return PromQL for a figure or a bound of its interval, without unknown values (NaN)."""
    return f'max(model_quality{bound}{{{INSTANCE}, metric="{metric}"}} >= 0)'


def _precision_now() -> stat.Panel:
    return quality_figure(
        "Precision", "Share of alarms that are outliers, estimated from labelled alarms.", "precision", INSTANCE
    )


def _recall_now() -> stat.Panel:
    return quality_figure(
        "Recall",
        "Share of outliers that the model finds, estimated from labelled alarms and audited inliers; the labels "
        "counted here are those of audited inliers. Recall does not use labels of other inliers, such as complaints, "
        "because most of those are missed outliers.",
        "recall",
        INSTANCE,
    )


def _unlabelled_alarms() -> stat.Panel:
    alarms = f"sum(max by (segment) ((segment_outlier_ratio{{{INSTANCE}}} >= 0) * segment_rows{{{INSTANCE}}}))"
    return (
        number(
            "Unlabelled alarms",
            "Share of alarms in the window without a label. Precision assumes that they are like the labelled ones.",
            units.PercentUnit,
            query(f"clamp_min(1 - {_labels('alarm')} / ({alarms} > 0), 0)", "unlabelled", fast_scrape=True),
            decimals=1,
            sparkline=False,
        )
        .max(1)
        .no_value("no alarms")
    )


def _labels(kind: str) -> str:
    """Return PromQL for the number of labels behind the figures."""
    return f'max(model_quality_labels{{{INSTANCE}, kind="{kind}"}} >= 0)'


def _precision() -> timeseries.Panel:
    return ratio_with_interval(
        "Precision with 95 % interval",
        "Share of alarms that are outliers. The alert fires when the whole band is below the dashed line. "
        "Alert PrecisionBelowTarget: monitoring/runbook.md#precisionbelowtarget",
        "precision",
        _figure("precision"),
        _figure("precision", "_low"),
        _figure("precision", "_high"),
        alert_line("threshold:model_precision:min"),
    )


def _recall() -> timeseries.Panel:
    return ratio_with_interval(
        "Recall with 95 % interval",
        "Share of outliers that the model finds. The band is wide while few audited inliers are labelled. The alert "
        "fires when the whole band is below the dashed line. "
        "Alert RecallBelowTarget: monitoring/runbook.md#recallbelowtarget",
        "recall",
        _figure("recall"),
        _figure("recall", "_low"),
        _figure("recall", "_high"),
        alert_line("threshold:model_recall:min"),
    )


def _all_figures() -> table.Panel:

    def of_all(bound: str) -> str:
        return f"max by (metric) (model_quality{bound}{{{INSTANCE}}})"

    panel = series_table(
        "All figures",
        "All figures of the live model, with 95 % intervals. Higher is better, except for the false-negative rate. F1, "
        "ROC AUC and average precision need 20 labels of each kind. `GET /quality` reports what is missing, and has "
        "figures by model version, segment and day.",
        [table_query(of_all(bound)) for bound in ("", "_low", "_high")],
        {"metric": "figure", "Value #A": "estimate", "Value #B": LOWER_BOUND, "Value #C": UPPER_BOUND},
        unit=units.PercentUnit,
        no_value=_UNKNOWN,
        decimals=1,
        join_by="metric",
        widths={"figure": 150, LOWER_BOUND: 110, UPPER_BOUND: 110},
    ).mappings([_replace_nan(_UNKNOWN)])
    names = ValueMap(
        {name: ValueMappingResult(text=text, index=index) for index, (name, text) in enumerate(_NAMES.items())}
    )
    panel = panel.override_by_name("figure", [DynamicConfigValue("mappings", [names])])
    for bound in (LOWER_BOUND, UPPER_BOUND):
        panel = panel.override_by_name(bound, [DynamicConfigValue("mappings", [_replace_nan("-")])])
    return panel


def _replace_nan(text: str) -> SpecialValueMap:
    """Show a text in place of an unknown number."""
    return SpecialValueMap(
        DashboardSpecialValueMapOptions(
            match=SpecialValueMatch.NULL_AND_NAN, result=ValueMappingResult(text=text, index=0)
        )
    )
