"""``GET /audit/next``: rows that were drawn at random, for people who label them.

What ``GET /audit/next`` gives: rows to label.
"""

from __future__ import annotations

import time

from flask import Blueprint, Response, request
from marshmallow import Schema, fields
from werkzeug.exceptions import MethodNotAllowed

from app.api.records import FEATURES
from app.api.service import service
from app.web.codecs import answer_json
from app.web.headers import keep_from_caches
from app.web.moments import format_timestamp
from app.web.validation import read_whole_number, refuse_unknown


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


# As many as somebody looks through in one go; more, and they come again to others before they are done.
DEFAULT_ROWS, MOST_ROWS = 20, 100

audit = Blueprint("audit", __name__)


@audit.get("/audit/next")
def hand_out_rows() -> Response:
    """Hand out the next rows."""
    parts = service()
    parts.keys.admit(request.environ)
    if request.method == "HEAD":
        # Flask would answer it by throwing the body away, and the rows in it would be gone for an hour.
        raise MethodNotAllowed(["GET", "OPTIONS"])
    refuse_unknown(request.args, ["n"])
    n = read_whole_number("n", request.args.getlist("n"), DEFAULT_ROWS, 1, MOST_ROWS)
    with parts.records.use() as engine:
        from app.records.audits import hand_out

        rows = hand_out(engine, n, time.time())
    laid_out = [
        {
            "record_id": row.key.record_id,
            "row": row.key.row,
            "answered_at": format_timestamp(row.answered_at),
            "segment": row.segment,
            "features": row.features,
        }
        for row in rows
    ]
    return keep_from_caches(answer_json({"rows": laid_out}))
