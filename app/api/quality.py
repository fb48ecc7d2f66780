"""``GET /quality``: how right the answers were, as far as labels tell, from any worker.

What ``GET /quality`` gives.

The answers' quality as ``GET /quality`` lays it out.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import msgspec
from flask import Blueprint, Request, Response, current_app, request
from flask.blueprints import BlueprintSetupState
from marshmallow import Schema, fields

from app.api.answer_cache import RecentAnswers
from app.api.service import service
from app.errors import InvalidQuery
from app.quality.estimate import Estimate, estimate_quality
from app.web.codecs import JSON_MEDIA_TYPE
from app.web.moments import format_timestamp
from app.web.validation import refuse_unknown

if TYPE_CHECKING:
    from app.records.quality_query import AnswerGroup, QualityReading


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


# They compare scores of rows with each other, and the scores of two models do not compare.
_OF_ONE_VERSION = ("roc_auc", "average_precision")

_ASSUMPTIONS = (
    "Alarms with a label are taken to be like those without one.",
    "Misses are counted among the inliers that GET /audit/next handed out; those of them with a label are taken to be "
    "like those without one. Other labels of inliers are left out, as rows that somebody complains about are no random "
    "choice.",
    "Hours count whole, by the time of the answer in UTC; answers that did not reach the records are not in it.",
    "Labels that are wrong make figures that are wrong.",
)


def lay_out_quality(reading: QualityReading, asked: str, now: float) -> dict[str, Any]:
    """Estimate the figures of all groups, and lay them out.

    Parameters
    ----------
    reading
        What is known of the answers.
    asked
        The window in the words of the caller.
    now
        Seconds since 1970.
    """
    window = reading.window
    return {
        "window": {
            "asked": asked,
            "since": format_timestamp(window.first_hour),
            "until": format_timestamp(min(window.end_hour, now)),
        },
        "estimated_at": format_timestamp(now),
        "overall": _lay_out(reading.overall),
        "by_model_version": [
            {"model_version": version} | _lay_out(group) for version, group in reading.by_model_version.items()
        ],
        "by_segment": [{"segment": name} | _lay_out(group) for name, group in reading.by_segment.items()],
        "by_day": [{"day": day.isoformat()} | _lay_out(group) for day, group in reading.by_day.items()],
        "assumptions": _ASSUMPTIONS,
    }


def _lay_out(group: AnswerGroup) -> dict[str, Any]:
    """Lay out one group."""
    answers, ratio = group.answers, group.outlier_ratio
    figures = estimate_quality(answers)
    if len(group.model_versions) > 1:
        for name in _OF_ONE_VERSION:
            reason = f"answers of {len(group.model_versions)} model versions, whose scores do not compare"
            figures[name] = Estimate(None, None, None, figures[name].n_labels, reason)
    low, high = ratio.interval
    return {
        "rows": ratio.n_rows,
        "outliers": ratio.n_outliers,
        "outlier_ratio": {"value": ratio.value, "low": low, "high": high},
        "labelled_alarms": len(answers.alarm_scores),
        "audited_inliers": len(answers.audit_scores),
        "figures": {
            name: {"value": of.value, "low": of.low, "high": of.high, "labels": of.n_labels, "reason": of.reason}
            for name, of in figures.items()
        },
    }


quality = Blueprint("quality", __name__)

_DEFAULT_WINDOW = "7d"

_SECONDS_OF_UNIT = {"h": 3600, "d": 86400}
# No number of more digits is a window, and Python refuses to read very long ones.
_WINDOW = re.compile(r"([1-9]\d{0,6})([hd])", re.ASCII)

_ANSWERS = "isowatch_quality_answers"


@quality.record
def _prepare(state: BlueprintSetupState) -> None:
    """Give each service answers of its own."""
    state.app.extensions[_ANSWERS] = RecentAnswers()


@quality.get("/quality")
def tell_quality() -> Response:
    """Give the figures of a window that ends now."""
    refuse_unknown(request.args, ["window"])
    window, seconds = _read_window(request, service().settings.record_retention_days)
    answers: RecentAnswers = current_app.extensions[_ANSWERS]
    return Response(answers.get(window, lambda: _estimate(window, seconds)), mimetype=JSON_MEDIA_TYPE)


def _estimate(asked: str, seconds: float) -> bytes:
    """Read the records, and estimate the figures."""
    now = time.time()
    with service().records.use() as engine:
        # Only now: a worker that is never asked for records need not load SQLAlchemy.
        from app.records.quality_query import read_quality
        from app.records.window import Window

        reading = read_quality(engine, Window.around(now - seconds, now))
    return msgspec.json.encode(lay_out_quality(reading, asked, now))


def _read_window(asked: Request, retention_days: int) -> tuple[str, float]:
    """Read how far to look back: as it is written, and in seconds."""
    given = asked.args.getlist("window") or [_DEFAULT_WINDOW]
    found = _WINDOW.fullmatch(given[0]) if len(given) == 1 else None
    seconds = int(found[1]) * _SECONDS_OF_UNIT[found[2]] if found else 0
    if not 0 < seconds <= retention_days * _SECONDS_OF_UNIT["d"]:
        message = (
            f"expected hours or days such as 24h or 7d, up to the {retention_days}d for which records are kept, "
            f"got {' and '.join(given)}"
        )
        raise InvalidQuery(f"window: {message}", [{"field": "window", "message": message}])
    return given[0], seconds
