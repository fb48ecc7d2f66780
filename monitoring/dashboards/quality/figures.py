"""Of the dashboard "Quality": precision, recall and their like, each with its interval."""

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
from monitoring.dashboards.intervals import AT_LEAST, AT_MOST, share_with_interval
from monitoring.dashboards.layout import Grid
from monitoring.dashboards.numbers import number
from monitoring.dashboards.queries import INSTANCE, query, rows_now
from monitoring.dashboards.tables import rows

_UNKNOWN = "not enough labels"

# As the page of the figures calls those whose names are no words.
_NAMES = {
    "average_precision": "average precision",
    "f1": "F1",
    "false_negative_rate": "false-negative rate",
    "roc_auc": "ROC AUC",
}

# The words above take more room than a number.
_WIDTHS = (6, 6, 4, 4, 4)


def add_figures(grid: Grid) -> None:
    """Add the panels."""
    grid.heading("How right the model is")
    numbers = (_precision_now(), _recall_now(), _labelled_alarms(), _labelled_inliers(), _unlabelled())
    grid.line(5, *numbers, widths=_WIDTHS)
    grid.line(9, _precision(), _recall(), _figures(), widths=(8, 8, 8))


def _figure(metric: str, end: str = "") -> str:
    """Ask for a figure or an end of its interval; what is not known (NaN) is not there."""
    return f'max(model_quality{end}{{{INSTANCE}, metric="{metric}"}} >= 0)'


def _precision_now() -> stat.Panel:
    """The figure that alarms are followed up by."""
    return number(
        "Precision",
        "Of the alarms, how many are outliers, as those that were labelled say. "
        "Alert PrecisionBelowTarget: monitoring/runbook.md#precisionbelowtarget",
        units.PercentUnit,
        query(_figure("precision"), "precision", often=True),
        decimals=1,
        sparkline=False,
    ).no_value(_UNKNOWN)


def _recall_now() -> stat.Panel:
    """The figure that nobody knows without an audit."""
    return number(
        "Recall",
        "Of the outliers, how many are alarms, as inliers that were drawn for the audit and labelled say. "
        "Alert RecallBelowTarget: monitoring/runbook.md#recallbelowtarget",
        units.PercentUnit,
        query(_figure("recall"), "recall", often=True),
        decimals=1,
        sparkline=False,
    ).no_value(_UNKNOWN)


def _labelled_alarms() -> stat.Panel:
    """What precision stands on."""
    return number(
        "Labelled alarms",
        "Alarms of the live model that have a label, of those in the window that the figures look at.",
        units.LocaleFormat,
        query(_labels("alarm"), "labelled", often=True),
        decimals=0,
        sparkline=False,
    )


def _labelled_inliers() -> stat.Panel:
    """What recall stands on."""
    return number(
        "Audited inliers",
        "Inliers that the audit queue handed out and that were labelled, in the same window. Labels of other inliers, "
        "such as complaints, are not used for recall: they are about misses more often than not.",
        units.LocaleFormat,
        query(_labels("audited"), "labelled", often=True),
        decimals=0,
        sparkline=False,
    )


def _unlabelled() -> stat.Panel:
    """How much of what was told nobody has judged."""
    alarms = f"sum(max by (segment) ((segment_outlier_ratio{{{INSTANCE}}} >= 0) * segment_rows{{{INSTANCE}}}))"
    return (
        number(
            "Alarms without a label",
            "Of all alarms in the window, how many nobody has labelled. Precision takes them to be like the others.",
            units.PercentUnit,
            query(f"clamp_min(1 - {_labels('alarm')} / ({alarms} > 0), 0)", "without a label", often=True),
            decimals=1,
            sparkline=False,
        )
        .max(1)
        .no_value("no alarms")
    )


def _labels(kind: str) -> str:
    """Ask how many labels figures stand on."""
    return f'max(model_quality_labels{{{INSTANCE}, kind="{kind}"}} >= 0)'


def _precision() -> timeseries.Panel:
    """What PrecisionBelowTarget looks at."""
    return share_with_interval(
        "Precision with its 95 % interval",
        "Alarms that are outliers, of all alarms. An alert fires when the whole band is below the line. "
        "Alert PrecisionBelowTarget: monitoring/runbook.md#precisionbelowtarget",
        "precision",
        _figure("precision"),
        _figure("precision", "_low"),
        _figure("precision", "_high"),
        alert_line("threshold:model_precision:min"),
    )


def _recall() -> timeseries.Panel:
    """What RecallBelowTarget looks at."""
    return share_with_interval(
        "Recall with its 95 % interval",
        "Outliers that are alarms, of all outliers, worked out from audited inliers. The band is wide as long as few "
        "are labelled. An alert fires when the whole band is below the line. "
        "Alert RecallBelowTarget: monitoring/runbook.md#recallbelowtarget",
        "recall",
        _figure("recall"),
        _figure("recall", "_low"),
        _figure("recall", "_high"),
        alert_line("threshold:model_recall:min"),
    )


def _figures() -> table.Panel:
    """All figures, known or not."""

    def of_all(end: str) -> str:
        return f"max by (metric) (model_quality{end}{{{INSTANCE}}})"

    panel = rows(
        "All figures",
        "Each figure of the live model, with its 95 % interval; the lower, the better, of the false-negative rate "
        "alone. F1, ROC AUC and average precision need 20 labels of each kind. `GET /quality` says what is missing, "
        "and has figures by model version, segment and day.",
        [rows_now(of_all(end)) for end in ("", "_low", "_high")],
        {"metric": "figure", "Value #A": "estimate", "Value #B": AT_LEAST, "Value #C": AT_MOST},
        unit=units.PercentUnit,
        if_none=_UNKNOWN,
        decimals=1,
        joined_by="metric",
        widths={"figure": 150, AT_LEAST: 85, AT_MOST: 85},
    ).mappings([_instead_of_nan(_UNKNOWN)])
    names = ValueMap(
        {name: ValueMappingResult(text=text, index=place) for place, (name, text) in enumerate(_NAMES.items())}
    )
    panel = panel.override_by_name("figure", [DynamicConfigValue("mappings", [names])])
    for end in (AT_LEAST, AT_MOST):
        panel = panel.override_by_name(end, [DynamicConfigValue("mappings", [_instead_of_nan("-")])])
    return panel


def _instead_of_nan(text: str) -> SpecialValueMap:
    """Say something where a number is not known."""
    return SpecialValueMap(
        DashboardSpecialValueMapOptions(
            match=SpecialValueMatch.NULL_AND_NAN, result=ValueMappingResult(text=text, index=0)
        )
    )
