"""``/alarms``: the recorded outliers, the newest first; why each one is there, and what people said about it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from marshmallow import Schema, validate

from app.api.alarm_answer import (
    ALARM_ID,
    AlarmDetail,
    AlarmPage,
    describe_places,
    explain_now,
    flatten_alarm,
    serialize_alarm,
)
from app.api.feedback import MAX_LABELS, NOTE_CHARACTERS, note_field
from app.api.operation import NO_RECORDS, Operation
from app.api.service import service
from app.errors import InvalidQuery, NotAnAcceptableMediaType, UnknownPrediction
from app.records.timestamps import parse_timestamp
from app.web.accept import choose_media_type
from app.web.auth import caller_in
from app.web.codecs import JSON_MEDIA_TYPE, answer_json, load_body, read_json
from app.web.fields import MAX_ROW_NUMBER, StrictBoolean, StrictInteger
from app.web.headers import forbid_caching
from app.web.key_file import LABELLER, VIEWER
from app.web.query import QueryParameter, choice_parameter, refuse_unknown, text_parameter, whole_number_parameter
from app.web.row_formats import CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE, write_csv, write_ndjson

if TYPE_CHECKING:
    from app.records.alarms import Alarm
    from app.records.lookup import RecordKey

_MEDIA_TYPES = (JSON_MEDIA_TYPE, CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE)

# As app.records.alarms has them, which a worker loads only when records are requested.
_KNOWN = ("none", "true", "false", "unsure")

_CURSOR = re.compile(rf"({ALARM_ID})-(0|[1-9][0-9]{{0,9}})")

# More are not read; each is found with a search of its own.
_SIMILAR = 5

_LONGEST_NAME = 200


def _parse_time(text: str) -> float | None:
    try:
        return parse_timestamp(text, time.time())
    except (ValueError, OverflowError):
        return None


def _parse_cursor(text: str) -> tuple[str, int] | None:
    match = _CURSOR.fullmatch(text)
    return (match[1], int(match[2])) if match and int(match[2]) <= MAX_ROW_NUMBER else None


def _parse_score(text: str) -> float | None:
    if not re.fullmatch(r"-?[0-9](\.[0-9]{1,20})?", text):
        return None
    return float(text) if -1 <= float(text) <= 0 else None


def _time_parameter(name: str, description: str) -> QueryParameter[float | None]:
    expected = "a date or a time such as 2026-11-01T12:00:00Z, or an age such as 7d"
    return QueryParameter(name, description, {"type": "string", "example": "7d"}, expected, None, _parse_time)


_SINCE = _time_parameter("since", "Only alarms from this time on.")
_UNTIL = _time_parameter("until", "Only alarms before this time.")
_SEGMENT = text_parameter("segment", "Only this segment; empty for callers that named none.", _LONGEST_NAME)
_VERSION = text_parameter("model_version", "Only alarms of this version.", _LONGEST_NAME)
_REASON = text_parameter("reason", "Only alarms that have this column among their reasons.", _LONGEST_NAME)
_LABEL = choice_parameter("label", "What people said: `none` yet, a `true` alarm, a `false` one, or `unsure`.", _KNOWN)


def _score_parameter(name: str, description: str) -> QueryParameter[float | None]:
    schema = {"type": "number", "minimum": -1, "maximum": 0}
    return QueryParameter(name, description, schema, "a number from -1 to 0", None, _parse_score)


_MIN_SCORE = _score_parameter("min_score", "Only alarms with at least this anomaly score.")
_MAX_SCORE = _score_parameter("max_score", "Only alarms with at most this anomaly score.")
_BEFORE: QueryParameter[tuple[str, int] | None] = QueryParameter(
    "cursor",
    "`next_cursor` of the page before.",
    {"type": "string", "pattern": f"^{_CURSOR.pattern}$"},
    "the next_cursor of a page",
    None,
    _parse_cursor,
)
_N = whole_number_parameter("n", "Maximum number of alarms.", default=50, minimum=1, maximum=1000)
_QUERY = (_SINCE, _UNTIL, _SEGMENT, _VERSION, _LABEL, _REASON, _MIN_SCORE, _MAX_SCORE, _BEFORE, _N)
_ROW = whole_number_parameter("row", "The row of the request, from 0.", default=0, minimum=0, maximum=MAX_ROW_NUMBER)

alarms = Blueprint("alarms", __name__)


class Note(Schema):
    """What somebody says about an alarm without labelling it."""

    row = StrictInteger(load_default=0, validate=validate.Range(0, MAX_ROW_NUMBER))
    is_unsure = StrictBoolean(
        load_default=False, metadata={"description": "Whether the person looked and cannot tell."}
    )
    note = note_field(f"Up to {NOTE_CHARACTERS} characters.")


_NOTE = Note()


@alarms.get("/alarms")
@Operation(
    summary="Recorded alarms, the newest first.",
    description="Pages end with a cursor for the next one; a page may be short although there are more. Also as CSV "
    "and newline-delimited JSON by `Accept`, where the header `Link` has the next page.",
    tag="records",
    answer=AlarmPage,
    other_media_types=(CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE),
    query=_QUERY,
    refusals=(406, 422, *NO_RECORDS),
    role=VIEWER,
    page="alarms",
)
def list_alarms() -> Response:
    """Return a page of alarms."""
    refuse_unknown(request.args, _QUERY)
    media_type = choose_media_type(request.headers.get("Accept"), _MEDIA_TYPES)
    if media_type is None:
        raise NotAnAcceptableMediaType(f"Accept one of {', '.join(_MEDIA_TYPES)}.")
    found, after = _read_page(_N.read(request.args))
    if media_type == JSON_MEDIA_TYPE:
        page = {"alarms": [serialize_alarm(alarm) for alarm in found], "next_cursor": after}
        return forbid_caching(answer_json(page))
    columns = flatten_alarm(found)
    write = write_csv if media_type == CSV_MEDIA_TYPE else write_ndjson
    answer = Response(write(columns), mimetype=media_type)
    if after is not None:
        query = urlencode({**request.args.to_dict(), _BEFORE.name: after})
        answer.headers["Link"] = f'<alarms?{query}>; rel="next"'
    return forbid_caching(answer)


def _read_page(n: int) -> tuple[list[Alarm], str | None]:
    """Read the page that the query names, and the cursor of the next one."""
    args = request.args
    # All are read first, so that a mistake in any is refused before the database is opened.
    before = _BEFORE.read(args)
    given: dict[str, Any] = {
        "since": _SINCE.read(args),
        "until": _UNTIL.read(args),
        "segment": _SEGMENT.read(args),
        "model_version": _VERSION.read(args),
        "known": _LABEL.read(args),
        "reason": _REASON.read(args),
        "min_score": _MIN_SCORE.read(args),
        "max_score": _MAX_SCORE.read(args),
    }
    for low, high in (("since", "until"), ("min_score", "max_score")):
        if given[low] is not None and given[high] is not None and given[low] > given[high]:
            message = f"expected at most {high}, got {args[low]} with {high}={args[high]}: exchange them"
            raise InvalidQuery([{"field": low, "message": message}])
    with service().records.use() as engine:
        from app.records.alarms import AlarmFilter, read_alarms
        from app.records.lookup import RecordKey

        with engine.connect() as connection:
            start = RecordKey(*before) if before else None
            found, after = read_alarms(connection, AlarmFilter(**given), start, n)
    return found, f"{after.record_id}-{after.row}" if after else None


@alarms.get("/alarms/<record_id>")
@Operation(
    summary="One alarm: values, reasons, and similar ones.",
    description="The recorded row with its place in the training rows of its model, its explanation, labels, and up to "
    f"{_SIMILAR} earlier alarms with the nearest values.",
    tag="records",
    answer=AlarmDetail,
    query=(_ROW,),
    refusals=(404, 422, *NO_RECORDS),
    role=VIEWER,
    page="alarm",
)
def show_alarm(record_id: str) -> Response:
    """Return one alarm."""
    refuse_unknown(request.args, [_ROW])
    row = _ROW.read(request.args)
    with service().records.use() as engine:
        from app.records.alarms import read_alarm
        from app.records.similar_alarms import find_similar

        with engine.connect() as connection:
            alarm = read_alarm(connection, _key(record_id, row))
            if alarm is None:
                raise _unknown(record_id, row)
            alarm = explain_now(service(), alarm)
            places, scales = describe_places(service(), alarm)
            similar = find_similar(connection, alarm, scales, _SIMILAR)
    described = serialize_alarm(alarm) | {
        "places": places,
        "similar": [serialize_alarm(other) | {"distance": distance} for other, distance in similar.nearest],
        # With the alarm itself, as many as may be labelled at once.
        "identical": [key._asdict() for key in similar.identical[: MAX_LABELS - 1]],
    }
    return forbid_caching(answer_json(described))


@alarms.post("/alarms/<record_id>/note")
@Operation(
    summary="Add a note about an alarm, or say that you cannot tell.",
    description="A label says more: see `/feedback`. The newest note counts.",
    tag="records",
    request=Note,
    success=204,
    refusals=(400, 404, 413, 415, 422, *NO_RECORDS),
    role=LABELLER,
)
def add_note(record_id: str) -> Response:
    """Store a note."""
    loaded = load_body(read_json(request), _NOTE)
    key, caller = _key(record_id, loaded["row"]), caller_in(request.environ) or None
    with service().records.use() as engine:
        from app.db.engine import write_transaction
        from app.records import alarms as records
        from app.records.events import NOTES, count_remarks

        with write_transaction(engine) as connection:
            if records.read_alarm(connection, key) is None:
                raise _unknown(*key)
            remark = records.Remark(0, loaded["is_unsure"], loaded["note"], time.time(), caller)
            records.add_note(connection, key, remark)
            count_remarks(connection, caller, NOTES, 1, remark.given_at)
    return Response(status=204)


def _key(record_id: str, row: int) -> RecordKey:
    """Return the key of a row."""
    from app.records.lookup import RecordKey

    return RecordKey(record_id, row)


def _unknown(record_id: str, row: int) -> UnknownPrediction:
    """Return the refusal of a row that is no recorded alarm."""
    kept = service().settings.record_retention_days
    return UnknownPrediction(
        f"No alarm is recorded as row {row} of {record_id}: it is an inlier, was never recorded, or is older than the "
        f"{kept} days for which records are kept."
    )
