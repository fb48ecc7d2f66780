"""``GET /predictions/<request_id>``: what was answered, and what is known of it since.

What ``GET /predictions/<request_id>`` gives: what was answered, and what is known since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields

from app.api.service import service
from app.errors import UnknownPrediction
from app.web.codecs import answer_json
from app.web.headers import keep_from_caches
from app.web.middleware import is_sane
from app.web.moments import format_timestamp
from app.web.validation import read_whole_number, refuse_unknown

if TYPE_CHECKING:
    from app.records.labels import GivenLabel
    from app.records.recorded_answer import AnsweredRow, AnswerRecord, PastLabel

_LABEL = {"description": "1 inlier, -1 outlier.", "enum": [1, -1]}

FEATURES = {"description": "The numbers by feature; null if they were not recorded.", "example": {"mean": 0.56}}


class KnownLabel(Schema):
    """A label of a row."""

    is_inlier = fields.Integer(required=True, metadata=_LABEL)
    source = fields.String(required=True)
    note = fields.String(required=True)
    given_at = fields.AwareDateTime(required=True)


class ReplacedLabel(KnownLabel):
    """A label that counted until another one replaced it."""

    replaced_at = fields.AwareDateTime(required=True)


class PendingLabel(KnownLabel):
    """A label whose row is not recorded yet."""

    row = fields.Integer(required=True)


class RecordedRow(Schema):
    """A row, the model's answer, and its labels."""

    row = fields.Integer(required=True, metadata={"description": "Its number in the request, counted from 0."})
    features = fields.Dict(
        keys=fields.String(), values=fields.Float(), allow_none=True, required=True, metadata=FEATURES
    )
    anomaly_score = fields.Float(required=True, metadata={"minimum": -1, "maximum": 0})
    is_inlier = fields.Integer(required=True, metadata=_LABEL)
    confidence = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    recorded_share = fields.Float(
        required=True, metadata={"description": "How likely a row like this was to be recorded, 0 to 1."}
    )
    label = fields.Nested(
        KnownLabel,
        required=True,
        allow_none=True,
        metadata={"description": "The one that counts; null if there is none."},
    )
    history = fields.List(
        fields.Nested(ReplacedLabel),
        required=True,
        metadata={"description": "Labels that were replaced, the newest first."},
    )


class RecordedAnswer(Schema):
    """A page of the recorded rows of one request."""

    record_id = fields.String(required=True)
    request_id = fields.String(required=True, metadata={"description": "The record's own if the caller gave none."})
    same_request_id = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "The records that share the request id, the oldest first, up to 20."},
    )
    answered_at = fields.AwareDateTime(required=True)
    model_version = fields.String(required=True)
    segment = fields.String(required=True, metadata={"description": "Empty if the caller named none."})
    rows = fields.List(fields.Nested(RecordedRow), required=True)
    next_first_row = fields.Integer(
        required=True, allow_none=True, metadata={"description": "`first_row` of the next page; null on the last one."}
    )
    waiting_labels = fields.List(fields.Nested(PendingLabel), required=True)


# A request may hold thousands of rows, each with its features, labels and history.
MOST_ROWS, DEFAULT_ROWS = 1000, 100

# The largest number of a column of PostgreSQL.
LARGEST_ROW = 2**31 - 1

recorded_prediction = Blueprint("recorded_prediction", __name__)


@recorded_prediction.get("/predictions/<request_id>")
def show_recorded(request_id: str) -> Response:
    """Show a page of the recorded rows of a request."""
    parts = service()
    parts.keys.admit(request.environ)
    refuse_unknown(request.args, ["first_row", "n"])
    first_row = read_whole_number("first_row", request.args.getlist("first_row"), 0, 0, LARGEST_ROW)
    n = read_whole_number("n", request.args.getlist("n"), DEFAULT_ROWS, 1, MOST_ROWS)
    answer = _read(request_id, first_row, n) if is_sane(request_id) else None
    if answer is None:
        place = f" from row {first_row} on" if first_row else ""
        raise UnknownPrediction(
            f"Nothing is recorded under this id{place}: records are kept for {parts.settings.record_retention_days} "
            "days, and not every answer need be recorded."
        )
    return keep_from_caches(answer_json(_lay_out(answer)))


def _read(request_id: str, first_row: int, n: int) -> AnswerRecord | None:
    """Read a page of an answer."""
    with service().records.use() as engine:
        from app.records.recorded_answer import read_answer

        with engine.connect() as connection:
            return read_answer(connection, request_id, first_row, n)


def _lay_out(answer: AnswerRecord) -> dict[str, Any]:
    """Lay a page out."""
    return {
        "record_id": answer.record_id,
        "request_id": answer.request_id,
        "same_request_id": answer.same_request,
        "answered_at": format_timestamp(answer.answered_at),
        "model_version": answer.model_version,
        "segment": answer.segment,
        "rows": [_lay_out_row(row) for row in answer.rows],
        "next_first_row": answer.next_row,
        "waiting_labels": [{"row": label.row} | _lay_out_label(label) for label in answer.waiting],
    }


def _lay_out_row(row: AnsweredRow) -> dict[str, Any]:
    """Lay a row out with its labels: the one that counts apart from those before it."""
    counting = [label for label in row.labels if label.replaced_at is None]
    return {
        "row": row.row,
        "features": row.features,
        "anomaly_score": row.score,
        "is_inlier": row.is_inlier,
        "confidence": row.confidence,
        "recorded_share": row.recorded_share,
        "label": _lay_out_label(counting[0]) if counting else None,
        "history": [
            _lay_out_label(label) | {"replaced_at": format_timestamp(label.replaced_at)}
            for label in row.labels
            if label.replaced_at is not None
        ],
    }


def _lay_out_label(label: PastLabel | GivenLabel) -> dict[str, Any]:
    """Lay out what a label says."""
    return {
        "is_inlier": label.is_inlier,
        "source": label.source,
        "note": label.note,
        "given_at": format_timestamp(label.given_at),
    }
