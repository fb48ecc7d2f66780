"""``GET /predictions/<request_id>``: the recorded answer to a request, and the labels of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from flask.blueprints import BlueprintSetupState
from marshmallow import Schema, fields
from werkzeug.routing import BaseConverter

from app.api.explanation import ExplanationFields
from app.api.operation import NO_RECORDS, Operation
from app.api.service import service
from app.errors import UnknownPrediction
from app.records.timestamps import format_timestamp
from app.web.codecs import answer_json
from app.web.fields import MAX_ROW_NUMBER
from app.web.headers import forbid_caching
from app.web.key_file import VIEWER
from app.web.middleware import is_valid_request_id
from app.web.query import refuse_unknown, whole_number_parameter

if TYPE_CHECKING:
    from app.records.labels import GivenLabel
    from app.records.recorded_answer import AnsweredRow, AnswerRecord, PastLabel

_LABEL = {"description": "1 inlier, -1 outlier.", "enum": [1, -1]}

# A request may have thousands of rows, each with its features, labels and history; so answers come in pages.
_FIRST_ROW = whole_number_parameter(
    "first_row", "The number of the first row to return.", default=0, minimum=0, maximum=MAX_ROW_NUMBER
)
_N = whole_number_parameter("n", "Maximum number of rows to return.", default=100, minimum=1, maximum=1000)

FEATURES = {"description": "Values by feature name; null if they were not recorded.", "example": {"mean": 0.56}}


def unfamiliar_field() -> fields.Dict:
    """Declare the values of a recorded row that are unlike those in training."""
    return fields.Dict(
        keys=fields.String(),
        values=fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "By column: why its value is unlike those in training; null if there is none."},
    )


recorded_prediction = Blueprint("recorded_prediction", __name__)


class KnownLabel(Schema):
    """A label of a row."""

    is_inlier = fields.Integer(required=True, metadata=_LABEL)
    source = fields.String(required=True)
    note = fields.String(required=True)
    given_at = fields.AwareDateTime(required=True)
    given_by = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The name of the caller's API key; null if it had none."},
    )


class ReplacedLabel(KnownLabel):
    """A label that another one replaced."""

    replaced_at = fields.AwareDateTime(required=True)


class PendingLabel(KnownLabel):
    """A label whose row is not recorded yet."""

    row = fields.Integer(required=True)


class RecordedRow(Schema):
    """A row, the model's answer, and its labels."""

    row = fields.Integer(required=True, metadata={"description": "Its number in the request, counted from 0."})
    features = fields.Dict(keys=fields.String(), values=fields.Raw(), allow_none=True, required=True, metadata=FEATURES)
    anomaly_score = fields.Float(required=True, metadata={"minimum": -1, "maximum": 0})
    is_inlier = fields.Integer(required=True, metadata=_LABEL)
    confidence = fields.Float(
        required=True,
        allow_none=True,
        metadata={"minimum": 0, "maximum": 1, "description": "Null for a row with unfamiliar values."},
    )
    recorded_share = fields.Float(
        required=True, metadata={"description": "The probability with which such a row is recorded, 0 to 1."}
    )
    explanation = fields.Nested(
        ExplanationFields,
        required=True,
        allow_none=True,
        metadata={"description": "Why it is an outlier; null for inliers, and for outliers that were not explained."},
    )
    unfamiliar = unfamiliar_field()
    label = fields.Nested(
        KnownLabel,
        required=True,
        allow_none=True,
        metadata={"description": "The current label; null if there is none."},
    )
    history = fields.List(
        fields.Nested(ReplacedLabel),
        required=True,
        metadata={"description": "Replaced labels, the newest first."},
    )


class RecordedAnswer(Schema):
    """A page of the recorded rows of one request."""

    record_id = fields.String(required=True)
    request_id = fields.String(required=True, metadata={"description": "Equal to `record_id` if the caller sent none."})
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


class AnyText(BaseConverter):
    """Matches the rest of a path with all its slashes, which Base64 has, too."""

    regex = ".+"
    part_isolating = False
    weight = 300  # after all others


@recorded_prediction.record_once
def _register_converter(state: BlueprintSetupState) -> None:
    state.app.url_map.converters["text"] = AnyText


@recorded_prediction.get("/predictions/<text:request_id>")
@recorded_prediction.get("/predictions/<request_id>")
@Operation(
    summary="A recorded answer and its labels.",
    description="If several records share a request id, the first one is shown, and all are listed. Percent-encode the "
    "id; one that the path cannot hold, such as `..`, can only be used in labels.",
    tag="records",
    answer=RecordedAnswer,
    query=(_FIRST_ROW, _N),
    refusals=(404, 422, *NO_RECORDS),
    role=VIEWER,
)
def show_recorded(request_id: str) -> Response:
    """Show a page of the recorded rows of a request."""
    parts = service()
    refuse_unknown(request.args, [_FIRST_ROW, _N])
    first_row, n = _FIRST_ROW.read(request.args), _N.read(request.args)
    answer = _read(request_id, first_row, n) if is_valid_request_id(request_id) else None
    if answer is None:
        part = f" from row {first_row} on" if first_row else ""
        raise UnknownPrediction(
            f"Nothing is recorded under this id{part}: records are kept for {parts.settings.record_retention_days} "
            "days, and not every answer is recorded."
        )
    return forbid_caching(answer_json(_serialize(answer)))


def _read(request_id: str, first_row: int, n: int) -> AnswerRecord | None:
    """Read a page of a recorded answer."""
    with service().records.use() as engine:
        from app.records.recorded_answer import read_answer

        with engine.connect() as connection:
            return read_answer(connection, request_id, first_row, n)


def _serialize(answer: AnswerRecord) -> dict[str, Any]:
    """Return a page as JSON values."""
    return {
        "record_id": answer.record_id,
        "request_id": answer.request_id,
        "same_request_id": answer.same_request,
        "answered_at": format_timestamp(answer.answered_at),
        "model_version": answer.model_version,
        "segment": answer.segment,
        "rows": [_serialize_row(row) for row in answer.rows],
        "next_first_row": answer.next_row,
        "waiting_labels": [{"row": label.row} | _serialize_label(label) for label in answer.waiting],
    }


def _serialize_row(row: AnsweredRow) -> dict[str, Any]:
    """Return a row as JSON values, with its current label apart from those that were replaced."""
    current = [label for label in row.labels if label.replaced_at is None]
    return {
        "row": row.row,
        "features": row.features,
        "anomaly_score": row.score,
        "is_inlier": row.is_inlier,
        "confidence": row.confidence,
        "recorded_share": row.recorded_share,
        "explanation": row.explanation,
        "unfamiliar": row.unfamiliar,
        "label": _serialize_label(current[0]) if current else None,
        "history": [
            _serialize_label(label) | {"replaced_at": format_timestamp(label.replaced_at)}
            for label in row.labels
            if label.replaced_at is not None
        ],
    }


def _serialize_label(label: PastLabel | GivenLabel) -> dict[str, Any]:
    """Return a label as JSON values."""
    return {
        "is_inlier": label.is_inlier,
        "source": label.source,
        "note": label.note,
        "given_at": format_timestamp(label.given_at),
        "given_by": label.given_by,
    }
