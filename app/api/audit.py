"""``/audit/next``: answers in random order, for people who label them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from app.api.alarm_answer import describe_row, places_field
from app.api.operation import NO_RECORDS, Operation
from app.api.records import FEATURES
from app.api.service import service
from app.records.timestamps import format_timestamp
from app.web.auth import caller_in
from app.web.codecs import answer_json, load_body, read_json
from app.web.fields import StrictInteger
from app.web.headers import forbid_caching
from app.web.key_file import LABELLER, VIEWER
from app.web.query import choice_parameter, refuse_unknown, whole_number_parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.records.audits import AuditRow

# A hundred is as many as a person labels in one go; of more, some would be handed out again before they are done.
_DEFAULT_ROWS, _MAX_ROWS = 20, 100

_N = whole_number_parameter("n", "Maximum number of rows.", default=_DEFAULT_ROWS, minimum=1, maximum=_MAX_ROWS)

# GET used to hand out rows, until 2026-11-29 in seconds since 1970 (RFC 9745); POST does now, under the same address.
_DEPRECATION = {"Deprecation": "@1795910400", "Link": '<../docs>; rel="deprecation"; type="text/html"'}

_KINDS = ("inliers", "alarms", "mixed", "second")

_KIND = choice_parameter(
    "kind",
    "Which rows: `inliers`, drawn at random, to find misses; `alarms`, all of them in random order, for "
    "precision; `mixed`, half of each, so that the labeller does not know the model's answer; `second`, labelled rows "
    "for another person's label, to find wrong ones.",
    _KINDS,
    default=_KINDS[0],
)

audit = Blueprint("audit", __name__)


class AuditRequest(Schema):
    """How many rows to hand out."""

    n = StrictInteger(
        load_default=_DEFAULT_ROWS,
        validate=validate.Range(1, _MAX_ROWS),
        metadata={"description": "Maximum number of rows."},
    )


class RowToLabel(Schema):
    """A row without the model's label and score."""

    record_id = fields.String(required=True, metadata={"description": "The `request_id` of its label."})
    row = fields.Integer(required=True, metadata={"description": "The `row` of its label."})
    answered_at = fields.AwareDateTime(required=True)
    segment = fields.String(required=True, metadata={"description": "Empty if the caller named none."})
    features = fields.Dict(
        keys=fields.String(), values=fields.Float(), allow_none=True, required=True, metadata=FEATURES
    )
    places = places_field()


class AuditRows(Schema):
    """The next rows of the queue; empty if there are none."""

    rows = fields.List(fields.Nested(RowToLabel), required=True)


_REQUEST = AuditRequest()


@audit.post("/audit/next")
@Operation(
    summary="Take rows to label.",
    description="Answers in random order, without the model's scores. Each is handed out to one caller; if it is not "
    "labelled within an hour, it is handed out again, after those that never were. The body may be left out; `n` is in "
    "the body or in the query.",
    tag="records",
    request=AuditRequest,
    needs_body=False,
    answer=AuditRows,
    query=(_N, _KIND),
    refusals=(400, 413, 415, 422, *NO_RECORDS),
    role=LABELLER,
)
def hand_out_rows() -> Response:
    """Hand out the next rows."""
    refuse_unknown(request.args, [_N, _KIND])
    n, kind = _N.read(request.args), _KIND.read(request.args)
    if request.get_data():
        loaded = load_body(read_json(request), _REQUEST)
        n = n if _N.name in request.args else loaded[_N.name]
    with service().records.use() as engine:
        from app.records.audits import hand_out

        return _answer(hand_out(engine, n, time.time(), kind, caller_in(request.environ) or None))


@audit.get("/audit/next")
@Operation(
    summary="Preview rows to label.",
    description="The rows that `POST` would hand out now; nothing is handed out. Deprecated: the next release answers "
    "only `POST`.",
    tag="records",
    answer=AuditRows,
    query=(_N,),
    refusals=(422, *NO_RECORDS),
    role=VIEWER,
    is_deprecated=True,
)
def preview_rows() -> Response:
    """Show the next rows."""
    refuse_unknown(request.args, [_N])
    n = _N.read(request.args)
    with service().records.use() as engine:
        from app.records.audits import preview

        answer = _answer(preview(engine, n, time.time()))
    answer.headers.update(_DEPRECATION)
    return answer


def _answer(rows: Sequence[AuditRow]) -> Response:
    """Return rows as JSON."""
    serialized: list[dict[str, Any]] = [
        {
            "record_id": row.key.record_id,
            "row": row.key.row,
            "answered_at": format_timestamp(row.answered_at),
            "segment": row.segment,
            "features": row.features,
            "places": describe_row(service(), row.model_version, row.features),
        }
        for row in rows
    ]
    return forbid_caching(answer_json({"rows": serialized}))
