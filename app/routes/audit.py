"""``GET /audit/next``: rows that were drawn at random, for people who label them."""

from __future__ import annotations

import time

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from app.routes.service_parts import service
from app.schemas.query import read_whole_number
from app.web.json_bodies import answer_json
from app.web.moments import write_moment
from app.web.security_headers import keep_from_caches

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
    n = read_whole_number("n", request.args.getlist("n"), DEFAULT_ROWS, 1, MOST_ROWS)
    with parts.records.use() as engine:
        from app.records.audit_queue import hand_out

        rows = hand_out(engine, n, time.time())
    laid_out = [
        {
            "record_id": row.key.record_id,
            "row": row.key.row,
            "answered_at": write_moment(row.answered_at),
            "segment": row.segment,
            "features": row.features,
        }
        for row in rows
    ]
    return keep_from_caches(answer_json({"rows": laid_out}))
