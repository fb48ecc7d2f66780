"""The answer of ``GET /quality``: what it consists of, and how it is made from what the database holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from marshmallow import Schema, fields, validate

from app.quality.estimate import Estimate, estimate_precision_and_recall, estimate_quality
from app.quality.warnings import LabelNoise, find_warnings
from app.records.timestamps import SECONDS_PER_HOUR, format_timestamp

if TYPE_CHECKING:
    from app.records.quality_query import AnswerGroup, QualityReading
    from app.records.window import Window

# These compare the scores of rows with each other, which is meaningless across models.
_WITHIN_ONE_VERSION = ("roc_auc", "average_precision")

# From careful labellers to hasty ones.
_SHARES_OF_WRONG_LABELS: Final = (0.001, 0.005, 0.02)

_ASSUMPTIONS = (
    "Alarms count that POST /audit/next?kind=alarms handed out, or that had a label when it reached them; those with a "
    "label are representative of those without one. With fewer than 20 of these, all labelled alarms count, and are "
    "assumed to be representative.",
    "Misses are counted among the inliers that POST /audit/next handed out; those with a label are representative of "
    "those without one. Other labels of inliers are ignored, because rows that somebody complains about are not a "
    "random sample.",
    "Hours are whole hours in UTC, by the time of the answer; answers that were not recorded are not included.",
    "Wrong labels lead to wrong figures.",
)


class ShareWithInterval(Schema):
    """A share and its 95 % interval, in [0, 1]; all three are null if it is unknown."""

    value = fields.Float(required=True, allow_none=True)
    low = fields.Float(required=True, allow_none=True)
    high = fields.Float(required=True, allow_none=True)


class QualityFigure(ShareWithInterval):
    """A figure, or the reason why there is none."""

    labels = fields.Integer(
        required=True, metadata={"description": "Number of labels for this figure, even if they are too few."}
    )
    reason = fields.String(
        required=True,
        metadata={"description": "Why there is no figure; empty if there is one.", "example": "not enough labels: ..."},
    )


class QualityFigures(Schema):
    """The figures of one group of answers; the higher the better, except for the false-negative rate."""

    precision = fields.Nested(QualityFigure, required=True)
    recall = fields.Nested(QualityFigure, required=True)
    false_negative_rate = fields.Nested(QualityFigure, required=True)
    f1 = fields.Nested(QualityFigure, required=True)
    roc_auc = fields.Nested(QualityFigure, required=True)
    average_precision = fields.Nested(QualityFigure, required=True)


class QualityGroup(Schema):
    """Some of the window's answers."""

    rows = fields.Integer(required=True, metadata={"description": "Number of answers, recorded or not."})
    outliers = fields.Integer(
        required=True, metadata={"description": "Number of alarms, which are answers with the label outlier."}
    )
    outlier_ratio = fields.Nested(ShareWithInterval, required=True)
    labelled_alarms = fields.Integer(required=True, metadata={"description": "Number of labels behind precision."})
    other_labelled_alarms = fields.Integer(
        required=True,
        metadata={"description": "Number of alarms that were labelled without the queue or before it reached them."},
    )
    alarms_from = fields.String(
        required=True,
        validate=validate.OneOf(("queue", "all labels")),
        metadata={"description": "Which labelled alarms precision is estimated from."},
    )
    audited_inliers = fields.Integer(
        required=True, metadata={"description": "Number of labelled inliers that `/audit/next` handed out."}
    )
    figures = fields.Nested(QualityFigures, required=True)


class QualityOfVersion(QualityGroup):
    """The answers of one model version."""

    model_version = fields.String(required=True)


class QualityOfSegment(QualityGroup):
    """The answers of one segment."""

    segment = fields.String(required=True, metadata={"description": "Empty for callers that named none."})


class QualityOfDay(QualityGroup):
    """The answers of one day."""

    day = fields.Date(required=True, metadata={"description": "In UTC; the first day of a window may be incomplete."})


class QualityWindow(Schema):
    """The hours for which figures are estimated."""

    asked = fields.String(required=True, metadata={"example": "7d"})
    since = fields.AwareDateTime(required=True, metadata={"description": "Start of the first hour."})
    until = fields.AwareDateTime(required=True)


class LabelMaturity(Schema):
    """The age from which answers count, because by then 95 % of their labels have arrived."""

    hours = fields.Float(required=True)
    source = fields.String(
        required=True,
        validate=validate.OneOf(("set", "estimated", "unknown")),
        metadata={"description": "`unknown` with too few labels: answers of any age count."},
    )
    counted_until = fields.AwareDateTime(
        required=True, metadata={"description": "Figures describe the answers before; counts describe all."}
    )


class RecallUnderNoise(Schema):
    """Recall if a share of the labels of audited inliers were wrong."""

    wrong_labels = fields.Float(required=True, metadata={"description": "The share, in [0, 1]."})
    recall = fields.Nested(QualityFigure, required=True)


class WrongLabels(Schema):
    """The share of wrong labels."""

    assumed = fields.Float(required=True, metadata={"description": "`LABEL_NOISE`, by which recall is corrected."})
    estimated = fields.Nested(
        QualityFigure,
        required=True,
        metadata={"description": "From rows that `POST /audit/next?kind=second` handed out to a second person."},
    )


class QualityReport(Schema):
    """The quality of the answers, estimated from labels."""

    window = fields.Nested(QualityWindow, required=True)
    estimated_at = fields.AwareDateTime(required=True, metadata={"description": "Figures are cached for some seconds."})
    overall = fields.Nested(QualityGroup, required=True)
    by_model_version = fields.List(fields.Nested(QualityOfVersion), required=True)
    by_segment = fields.List(fields.Nested(QualityOfSegment), required=True)
    by_day = fields.List(fields.Nested(QualityOfDay), required=True)
    maturity = fields.Nested(LabelMaturity, required=True)
    label_noise = fields.Nested(WrongLabels, required=True)
    sensitivity = fields.List(
        fields.Nested(RecallUnderNoise),
        required=True,
        metadata={"description": "Overall recall for several shares of wrong labels."},
    )
    warnings = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "Assumptions that do not hold for all answers, each with its reason."},
    )
    assumptions = fields.List(
        fields.String(), required=True, metadata={"description": "The assumptions of the estimates."}
    )


def serialize_quality(reading: QualityReading, requested: str, now: float, noise: float = 0.0) -> dict[str, Any]:
    """Estimate the figures of all groups, and return them as JSON values.

    Parameters
    ----------
    reading
        The answers and their labels.
    requested
        The window as the caller wrote it.
    now
        Seconds since 1970.
    noise
        The assumed share of wrong labels of audited inliers.
    """
    window, maturity = reading.window, reading.maturity
    by_version, by_segment, by_day = (
        {str(key): _serialize_group(group, noise) for key, group in groups.items()}
        for groups in (reading.by_model_version, reading.by_segment, reading.by_day)
    )
    recall, *sensitivity = (
        estimate_precision_and_recall(reading.overall.answers, noise=share)[1]
        for share in (noise, *_SHARES_OF_WRONG_LABELS)
    )
    return {
        "window": serialize_window(requested, window, now),
        "estimated_at": format_timestamp(now),
        "overall": _serialize_group(reading.overall, noise),
        "by_model_version": [{"model_version": name} | group for name, group in by_version.items()],
        "by_segment": [{"segment": name} | group for name, group in by_segment.items()],
        "by_day": [{"day": day} | group for day, group in by_day.items()],
        "maturity": {
            "hours": maturity.seconds / SECONDS_PER_HOUR,
            "source": maturity.source,
            "counted_until": format_timestamp(min(reading.counted_until, now)),
        },
        "label_noise": {"assumed": noise, "estimated": serialize_figure(reading.label_noise)},
        "sensitivity": [
            {"wrong_labels": share, "recall": serialize_figure(each)}
            for share, each in zip(_SHARES_OF_WRONG_LABELS, sensitivity, strict=True)
        ],
        "warnings": find_warnings(
            reading.overall.rows,
            reading.unlabelled,
            maturity,
            LabelNoise(noise, reading.label_noise, recall, sensitivity),
            is_from_queue=reading.overall.answers.alarm_probabilities is not None,
        ),
        "assumptions": _ASSUMPTIONS,
    }


def _serialize_group(group: AnswerGroup, noise: float) -> dict[str, Any]:
    """Estimate the figures of one group, and return them as JSON values."""
    answers, ratio = group.answers, group.outlier_ratio
    figures = estimate_quality(answers, noise=noise)
    if len(group.model_versions) > 1:
        for name in _WITHIN_ONE_VERSION:
            reason = f"answers of {len(group.model_versions)} model versions, whose scores do not compare"
            figures[name] = Estimate(None, None, None, figures[name].n_labels, reason)
    low, high = ratio.interval
    return {
        "rows": ratio.n_rows,
        "outliers": ratio.n_outliers,
        "outlier_ratio": {"value": ratio.value, "low": low, "high": high},
        "labelled_alarms": len(answers.alarm_scores),
        "other_labelled_alarms": group.n_other_labels,
        "alarms_from": "all labels" if answers.alarm_probabilities is None else "queue",
        "audited_inliers": len(answers.audit_scores),
        "figures": {name: serialize_figure(figure) for name, figure in figures.items()},
    }


def serialize_figure(figure: Estimate) -> dict[str, Any]:
    """Return a figure as JSON values."""
    return {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "labels": figure.n_labels,
        "reason": figure.reason,
    }


def serialize_window(requested: str, window: Window, now: float) -> dict[str, str]:
    """Return a window as JSON values: as it was requested, and the whole hours that it covers until now."""
    return {
        "asked": requested,
        "since": format_timestamp(window.first_hour),
        "until": format_timestamp(min(window.end_hour, now)),
    }
