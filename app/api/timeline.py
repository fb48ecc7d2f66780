"""``GET /timeline`` and ``GET /events``: how many answers and alarms there were when, and what happened to models."""

from __future__ import annotations

import re
import time
from typing import Any

from flask import Blueprint, Response, request
from marshmallow import Schema, fields

from app.api.operation import NO_RECORDS, Operation
from app.api.quality import window_parameter, window_seconds
from app.api.service import service
from app.errors import InvalidQuery
from app.records.timestamps import format_timestamp
from app.settings import Settings
from app.web.codecs import answer_json
from app.web.headers import forbid_caching
from app.web.key_file import VIEWER
from app.web.query import QueryParameter, choice_parameter, refuse_unknown, whole_number_parameter

_SECONDS_OF_UNIT = {"m": 60, "h": 3600, "d": 86_400}

_STEP_PATTERN = re.compile(r"([1-9][0-9]{0,3})([mhd])")

# As many as a wide screen has pixels.
_MAX_STEPS = 2000

# By default a chart has about so many steps: enough to see an hour's shape, few enough to draw at once.
_USUAL_STEPS = 168


def _parse_step(text: str) -> int | None:
    match = _STEP_PATTERN.fullmatch(text)
    return int(match[1]) * _SECONDS_OF_UNIT[match[2]] if match else None


_STEP: QueryParameter[int | None] = QueryParameter(
    "step",
    f"The length of a step, in whole minutes, hours or days; by default, there are about {_USUAL_STEPS} steps.",
    {"type": "string", "pattern": f"^{_STEP_PATTERN.pattern}$", "example": "15m"},
    "minutes, hours or days such as 15m, 1h or 1d",
    None,
    _parse_step,
)
_ABOUT = choice_parameter(
    "about",
    "Only `changes` of models and records, or only what people said in `labels` and notes.",
    ("changes", "labels"),
)
_N = whole_number_parameter("n", "Maximum number of events.", default=20, minimum=1, maximum=1000)

timeline = Blueprint("timeline", __name__)


class TimelineAnswer(Schema):
    """Counts by step, each list with an entry per step, the oldest first."""

    step_seconds = fields.Integer(required=True)
    until = fields.AwareDateTime(required=True, metadata={"description": "Now: the last step is not complete."})
    starts = fields.List(fields.Integer(), required=True, metadata={"description": "Seconds since 1970."})
    rows = fields.List(fields.Integer(), required=True, metadata={"description": "All answers, recorded or not."})
    alarms = fields.List(fields.Integer(), required=True, metadata={"description": "The outliers among them."})


class AuditEvent(Schema):
    """An entry of the audit trail."""

    at = fields.AwareDateTime(required=True)
    who = fields.String(required=True)
    what = fields.String(required=True, metadata={"example": "promotion"})
    before = fields.String(required=True, metadata={"description": "The version before; empty if there is none."})
    after = fields.String(required=True)
    note = fields.String(required=True)


class AuditEvents(Schema):
    """The last entries of the audit trail, the newest first."""

    events = fields.List(fields.Nested(AuditEvent), required=True)


@timeline.get("/timeline")
@Operation(
    summary="Numbers of answers and alarms over time.",
    description="From counts by the minute, which are kept as long as records. Without records there are none.",
    tag="model",
    answer=TimelineAnswer,
    query=(window_parameter(Settings().record_retention_days, 1), _STEP),
    refusals=(422, *NO_RECORDS),
)
def show_timeline() -> Response:
    """Return the counts of a window that ends now."""
    window = window_parameter(service().settings.record_retention_days, 1)
    refuse_unknown(request.args, [window, _STEP])
    seconds = window_seconds(window.read(request.args))
    step = _STEP.read(request.args) or max(60, seconds // _USUAL_STEPS // 60 * 60)
    if seconds / step > _MAX_STEPS:
        raise InvalidQuery([{"field": "step", "message": f"more than {_MAX_STEPS} steps: choose a longer one"}])
    now = time.time()
    with service().records.use() as engine:
        from app.records.timeline import read_timeline

        with engine.connect() as connection:
            counts = read_timeline(connection, now - seconds, now, step)
    return answer_json(
        {
            "step_seconds": step,
            "until": format_timestamp(now),
            "starts": counts.starts,
            "rows": counts.n_rows,
            "alarms": counts.n_outliers,
        }
    )


@timeline.get("/events")
@Operation(
    summary="The audit trail: who did what to models, records and labels.",
    description="The newest first; labels, notes and withdrawals have one event for each person and hour. "
    "`python -m app.records export` exports all.",
    tag="records",
    answer=AuditEvents,
    query=(_N, _ABOUT),
    refusals=(422, *NO_RECORDS),
    role=VIEWER,
)
def show_events() -> Response:
    """Return the last events."""
    refuse_unknown(request.args, [_N, _ABOUT])
    n, about = _N.read(request.args), _ABOUT.read(request.args)
    with service().records.use() as engine:
        from app.metrics.records import EVENTS
        from app.records.events import REMARKS, read_last_events

        kinds = {"changes": EVENTS, "labels": REMARKS}.get(about, (*EVENTS, *REMARKS))
        with engine.connect() as connection:
            events: list[dict[str, Any]] = [
                vars(event) | {"at": format_timestamp(event.at)} for event in read_last_events(connection, n, kinds)
            ]
    return forbid_caching(answer_json({"events": events}))
