"""What ``GET /predictions/<request_id>`` gives: what was answered, and what is known since."""

from __future__ import annotations

from marshmallow import Schema, fields

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


class WaitingLabel(KnownLabel):
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
    waiting_labels = fields.List(fields.Nested(WaitingLabel), required=True)
