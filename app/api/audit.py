"""``GET /audit/next``: inlier answers that were drawn at random, for people who label them."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request
from marshmallow import Schema, fields
from werkzeug.exceptions import MethodNotAllowed

from app.api.operation import NO_ACCESS, NO_RECORDS, Operation
from app.api.records import FEATURES
from app.api.service import service
from app.records.timestamps import format_timestamp
from app.web.codecs import answer_json
from app.web.headers import forbid_caching
from app.web.query import refuse_unknown, whole_number_parameter

# A hundred is as many as a person labels in one go; of more, some would be handed out again before they are done.
_N = whole_number_parameter("n", "Maximum number of rows to hand out.", default=20, minimum=1, maximum=100)

audit = Blueprint("audit", __name__)


class RowToLabel(Schema):
    """A row without the model's label and score."""

    record_id = fields.String(required=True, metadata={"description": "The `request_id` of its label."})
    row = fields.Integer(required=True, metadata={"description": "The `row` of its label."})
    answered_at = fields.AwareDateTime(required=True)
    segment = fields.String(required=True, metadata={"description": "Empty if the caller named none."})
    features = fields.Dict(
        keys=fields.String(), values=fields.Float(), allow_none=True, required=True, metadata=FEATURES
    )


class AuditRows(Schema):
    """The next rows of the queue; empty if there are none."""

    rows = fields.List(fields.Nested(RowToLabel), required=True)


@audit.get("/audit/next")
@Operation(
    summary="Rows to label.",
    description="Randomly drawn inlier answers, without the model's scores. Each is handed out to one caller; if "
    "it is not labelled within an hour, it is handed out again, after those that never were.",
    tag="records",
    answer=AuditRows,
    query=(_N,),
    refusals=(*NO_ACCESS, 422, *NO_RECORDS),
    needs_key=True,
)
def hand_out_rows() -> Response:
    """Hand out the next rows."""
    parts = service()
    parts.keys.authorize(request.environ)
    if request.method == "HEAD":
        # Flask would run this view and discard the body, and its rows would not be handed out again for an hour.
        raise MethodNotAllowed(["GET", "OPTIONS"])
    refuse_unknown(request.args, [_N])
    n = _N.read(request.args)
    with parts.records.use() as engine:
        from app.records.audits import hand_out

        rows = hand_out(engine, n, time.time())
    serialized = [
        {
            "record_id": row.key.record_id,
            "row": row.key.row,
            "answered_at": format_timestamp(row.answered_at),
            "segment": row.segment,
            "features": row.features,
        }
        for row in rows
    ]
    return forbid_caching(answer_json({"rows": serialized}))
