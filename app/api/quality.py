"""``GET /quality``: precision, recall and related figures of recorded answers, estimated from their labels."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from marshmallow import Schema, fields

from app.api.answer_cache import AnswerCache
from app.api.operation import NO_RECORDS, Operation
from app.api.service import service
from app.quality.estimate import Estimate, estimate_quality
from app.records.timestamps import format_timestamp
from app.settings import Settings
from app.web.codecs import JSON_MEDIA_TYPE
from app.web.query import QueryParameter, refuse_unknown

if TYPE_CHECKING:
    from app.records.quality_query import AnswerGroup, QualityReading
    from app.records.window import Window

_DEFAULT_DAYS = 7

_SECONDS_OF_UNIT = {"h": 3600, "d": 86400}

# A window of more digits is too long anyway, and Python refuses to parse very long numbers.
_WINDOW_PATTERN = re.compile(r"([1-9]\d{0,6})([hd])", re.ASCII)

# These compare the scores of rows with each other, which is meaningless across models.
_WITHIN_ONE_VERSION = ("roc_auc", "average_precision")

_ASSUMPTIONS = (
    "Alarms with a label are representative of those without one.",
    "Misses are counted among the inliers that POST /audit/next handed out; those with a label are representative of "
    "those without one. Other labels of inliers are ignored, because rows that somebody complains about are not a "
    "random sample.",
    "Hours are whole hours in UTC, by the time of the answer; answers that were not recorded are not included.",
    "Wrong labels lead to wrong figures.",
)

_CACHE = "isowatch_quality_answers"

quality = Blueprint("quality", __name__)


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
    labelled_alarms = fields.Integer(required=True)
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


class QualityReport(Schema):
    """The quality of the answers, estimated from labels."""

    window = fields.Nested(QualityWindow, required=True)
    estimated_at = fields.AwareDateTime(required=True, metadata={"description": "Figures are cached for some seconds."})
    overall = fields.Nested(QualityGroup, required=True)
    by_model_version = fields.List(fields.Nested(QualityOfVersion), required=True)
    by_segment = fields.List(fields.Nested(QualityOfSegment), required=True)
    by_day = fields.List(fields.Nested(QualityOfDay), required=True)
    assumptions = fields.List(
        fields.String(), required=True, metadata={"description": "The assumptions of the estimates."}
    )


def serialize_quality(reading: QualityReading, requested: str, now: float) -> dict[str, Any]:
    """Estimate the figures of all groups, and return them as JSON values.

    Parameters
    ----------
    reading
        The answers and their labels.
    requested
        The window as the caller wrote it.
    now
        Seconds since 1970.
    """
    window = reading.window
    return {
        "window": serialize_window(requested, window, now),
        "estimated_at": format_timestamp(now),
        "overall": _serialize_group(reading.overall),
        "by_model_version": [
            {"model_version": version} | _serialize_group(group) for version, group in reading.by_model_version.items()
        ],
        "by_segment": [{"segment": name} | _serialize_group(group) for name, group in reading.by_segment.items()],
        "by_day": [{"day": day.isoformat()} | _serialize_group(group) for day, group in reading.by_day.items()],
        "assumptions": _ASSUMPTIONS,
    }


def _serialize_group(group: AnswerGroup) -> dict[str, Any]:
    """Estimate the figures of one group, and return them as JSON values."""
    answers, ratio = group.answers, group.outlier_ratio
    figures = estimate_quality(answers)
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


@quality.record
def _add_cache(state: BlueprintSetupState) -> None:
    """Add a cache to each service."""
    state.app.extensions[_CACHE] = AnswerCache()


def window_parameter(retention_days: int, default_days: int = _DEFAULT_DAYS) -> QueryParameter[str]:
    """Declare the window, which is at most the time for which records are kept."""

    def parse(text: str) -> str | None:
        is_valid = _WINDOW_PATTERN.fullmatch(text) and window_seconds(text) <= window_seconds(f"{retention_days}d")
        return text if is_valid else None

    return QueryParameter(
        name="window",
        description="How far to look back, in hours or days, up to the retention time of records.",
        schema={"type": "string", "pattern": "^[1-9][0-9]*[hd]$", "default": f"{default_days}d", "example": "24h"},
        expected=f"hours or days such as 24h or 7d, up to the {retention_days}d for which records are kept",
        default=f"{min(default_days, retention_days)}d",
        parse=parse,
    )


@quality.get("/quality")
@Operation(
    summary="Quality of the answers, estimated from labels.",
    description="Precision, recall and related figures with 95 % intervals, of all answers in a window and "
    "by model version, segment and day.",
    tag="model",
    answer=QualityReport,
    # The document is the same for any retention time.
    query=(window_parameter(Settings().record_retention_days),),
    refusals=(422, *NO_RECORDS),
    page="quality",
)
def show_quality() -> Response:
    """Return the figures of a window that ends now."""
    parameter = window_parameter(service().settings.record_retention_days)
    refuse_unknown(request.args, [parameter])
    window = parameter.read(request.args)
    return Response(read_quality_answer(window), mimetype=JSON_MEDIA_TYPE)


def read_quality_answer(window: str) -> bytes:
    """Return the figures of a window that ends now as JSON; they are cached for some seconds."""
    cache: AnswerCache = current_app.extensions[_CACHE]
    return cache.get(window, lambda: _estimate(window))


def _estimate(requested: str) -> bytes:
    """Read the records, estimate the figures, and return them as JSON."""
    now = time.time()
    with service().records.use() as engine:
        # Imported here, so that a worker loads SQLAlchemy only when records are requested.
        from app.records.quality_query import read_quality
        from app.records.window import Window

        reading = read_quality(engine, Window.around(now - window_seconds(requested), now))
    return msgspec.json.encode(serialize_quality(reading, requested, now))


def window_seconds(window: str) -> int:
    """Return the length of a window."""
    return int(window[:-1]) * _SECONDS_OF_UNIT[window[-1]]
