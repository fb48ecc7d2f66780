"""What ``GET /audit/next`` gives: rows to label."""

from __future__ import annotations

from marshmallow import Schema, fields

from app.schemas.recorded_answer import FEATURES


class RowToLabel(Schema):
    """A row, without what the model said of it."""

    record_id = fields.String(required=True, metadata={"description": "The `request_id` of its label."})
    row = fields.Integer(required=True, metadata={"description": "The `row` of its label."})
    answered_at = fields.AwareDateTime(required=True)
    segment = fields.String(required=True, metadata={"description": "Empty if the caller named none."})
    features = fields.Dict(
        keys=fields.String(), values=fields.Float(), allow_none=True, required=True, metadata=FEATURES
    )


class AuditRows(Schema):
    """The next rows of the queue; none if it is empty."""

    rows = fields.List(fields.Nested(RowToLabel), required=True)
