"""What ``GET /quality`` gives."""

from __future__ import annotations

from marshmallow import Schema, fields


class ShareWithInterval(Schema):
    """A share and its 95 % interval, in [0, 1]; all three are null where there is none."""

    value = fields.Float(required=True, allow_none=True)
    low = fields.Float(required=True, allow_none=True)
    high = fields.Float(required=True, allow_none=True)


class QualityFigure(ShareWithInterval):
    """A figure, or the reason why there is none."""

    labels = fields.Integer(required=True, metadata={"description": "How many labels it stands on, or would."})
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

    rows = fields.Integer(required=True, metadata={"description": "All answers, recorded or not."})
    outliers = fields.Integer(required=True, metadata={"description": "Answers that were alarms."})
    outlier_ratio = fields.Nested(ShareWithInterval, required=True)
    labelled_alarms = fields.Integer(required=True)
    audited_inliers = fields.Integer(
        required=True, metadata={"description": "Inliers that `/audit/next` handed out and that have a label."}
    )
    figures = fields.Nested(QualityFigures, required=True)


class QualityOfVersion(QualityGroup):
    """The answers of one model version."""

    model_version = fields.String(required=True)


class QualityOfSegment(QualityGroup):
    """The answers to one kind of caller."""

    segment = fields.String(required=True, metadata={"description": "Empty for callers that named none."})


class QualityOfDay(QualityGroup):
    """The answers of one day."""

    day = fields.Date(required=True, metadata={"description": "UTC; the first one of a window may be a part of a day."})


class QualityWindow(Schema):
    """The hours that were looked at."""

    asked = fields.String(required=True, metadata={"example": "7d"})
    since = fields.AwareDateTime(required=True, metadata={"description": "Beginning of the first hour."})
    until = fields.AwareDateTime(required=True)


class QualityReport(Schema):
    """How right the answers were, as far as labels tell."""

    window = fields.Nested(QualityWindow, required=True)
    estimated_at = fields.AwareDateTime(required=True, metadata={"description": "Figures are kept for some seconds."})
    overall = fields.Nested(QualityGroup, required=True)
    by_model_version = fields.List(fields.Nested(QualityOfVersion), required=True)
    by_segment = fields.List(fields.Nested(QualityOfSegment), required=True)
    by_day = fields.List(fields.Nested(QualityOfDay), required=True)
    assumptions = fields.List(
        fields.String(), required=True, metadata={"description": "What the figures take for granted."}
    )
