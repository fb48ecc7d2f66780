"""``POST /feedback``: what people know of rows that were answered comes back as labels.

What ``POST /feedback`` takes and gives: labels of rows that were answered.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.exceptions import HTTPException

from app.api.service import service
from app.errors import (
    BodyTooLarge,
    CallerNotAllowed,
    FieldError,
    InvalidFeedback,
    KeysUnavailable,
    RecordsUnavailable,
    RefusedRequest,
    UnknownKey,
    UnknownPrediction,
)
from app.metrics.directory import folder_of_workers
from app.metrics.records import MALFORMED, UNAUTHORIZED, UNAVAILABLE, UNKNOWN, FeedbackMetrics
from app.web.codecs import answer_json, read_json
from app.web.validation import json_type, name_places

if TYPE_CHECKING:
    from app.records.feedback import Outcome
    from app.records.labels import GivenLabel

# As app.db.tables and app.web.middleware have them, which a schema does not import.
REQUEST_ID_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$"
SOURCE_CHARACTERS, NOTE_CHARACTERS = 64, 1000

# More than an analyst gives in a day; they are kept in one transaction, during which nobody else writes.
MOST_LABELS = 1000

# The largest number of a column of PostgreSQL.
_LARGEST_ROW = 2**31 - 1

# Control characters are for terminals; lines and tabs are for people.
_LINE_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"
_TEXT_PATTERN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"

_MOST_PROBLEMS_TOLD = 20

# marshmallow's name for what is wrong with a whole object.
_WHOLE = "_schema"

RESULTS = ("taken", "unchanged", "waiting", "unknown")


class _WholeNumber(fields.Integer):
    """A whole number of JSON, which true is not."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if type(value) is not int:
            raise ValidationError(f"expected a whole number, got {json_type(value)}")
        return value


class Label(Schema):
    """What somebody knows of a row."""

    error_messages = {"type": "expected an object with request_id and is_inlier"}  # noqa: RUF012 - marshmallow's way

    request_id = fields.String(
        required=True,
        validate=validate.Regexp(
            REQUEST_ID_PATTERN[:-1] + r"\Z", error="expected the X-Request-ID or X-Record-ID of an answer"
        ),
        metadata={
            "description": "`X-Record-ID` of the answer, which is unique, or its `X-Request-ID`.",
            "pattern": REQUEST_ID_PATTERN,
            "example": "019a9c5e8f24b6d0c1a2e3f405162738",
        },
    )
    row = _WholeNumber(
        load_default=0,
        validate=validate.Range(0, _LARGEST_ROW),
        metadata={"description": "The row's number in the request, counted from 0."},
    )
    is_inlier = _WholeNumber(
        required=True,
        validate=validate.OneOf((1, -1), error="expected 1 (inlier) or -1 (outlier)"),
        metadata={"description": "What the row truly is: 1 inlier, -1 outlier."},
    )
    source = fields.String(
        load_default="",
        validate=[
            validate.Length(max=SOURCE_CHARACTERS),
            validate.Regexp(_LINE_PATTERN[:-1] + r"\Z", error="expected no control characters"),
        ],
        metadata={"description": "Who says so.", "pattern": _LINE_PATTERN, "example": "fraud-desk"},
    )
    note = fields.String(
        load_default="",
        validate=[
            validate.Length(max=NOTE_CHARACTERS),
            validate.Regexp(_TEXT_PATTERN[:-1] + r"\Z", error="expected no control characters but tabs and line ends"),
        ],
        metadata={"description": "Why, for people.", "pattern": _TEXT_PATTERN, "example": "called the customer"},
    )


class LabelResult(Schema):
    """What became of one label."""

    request_id = fields.String(required=True)
    row = fields.Integer(required=True)
    result = fields.String(
        required=True,
        validate=validate.OneOf(RESULTS),
        metadata={
            "description": "`taken`; `unchanged` if it was known; `waiting` for the record, and taken when it comes; "
            "`unknown` if nothing is recorded under the id."
        },
    )


# Not a class, in which a field named `unknown` would stand in the place of marshmallow's own setting.
FeedbackAnswer = Schema.from_dict(
    {name: fields.Integer(required=True, metadata={"description": "How many labels."}) for name in RESULTS}
    | {"labels": fields.List(fields.Nested(LabelResult), required=True, metadata={"description": "In their order."})},
    name="FeedbackAnswer",
)


_LABELS = Label(many=True)


def load_feedback(body: object) -> list[dict[str, Any]]:
    """Check a decoded body: one label, or a list of them.

    Parameters
    ----------
    body
        Any JSON value.

    Returns
    -------
    The labels as ``Label`` says, with defaults.

    Raises
    ------
    BodyTooLarge
        If there are more than a thousand.
    InvalidFeedback
        With one entry for everything that is wrong, up to twenty.

    Examples
    --------
    >>> load_feedback({"request_id": "7f3e", "is_inlier": -1})
    [{'request_id': '7f3e', 'row': 0, 'is_inlier': -1, 'source': '', 'note': ''}]
    >>> load_feedback([{"request_id": "7f3e", "is_inlier": -1}, {"request_id": "7f3e", "is_inlier": 0}])
    Traceback (most recent call last):
    app.errors.InvalidFeedback: [1].is_inlier: expected 1 (inlier) or -1 (outlier)
    """
    if not isinstance(body, (dict, list)) or body == []:
        message = f"expected a label or a list of labels, got {'an empty list' if body == [] else json_type(body)}"
        raise InvalidFeedback(message, [{"field": "", "message": message}])
    labels = body if isinstance(body, list) else [body]
    if len(labels) > MOST_LABELS:
        raise BodyTooLarge(f"The request has {len(labels)} labels: send at most {MOST_LABELS} at once.")
    try:
        loaded: list[dict[str, Any]] = _LABELS.load(labels)
    except ValidationError as error:
        raise _refuse(error, is_list=isinstance(body, list)) from None
    return loaded


def _refuse(error: ValidationError, is_list: bool) -> InvalidFeedback:
    """Name what is wrong: by its place in the list, if there was one."""
    messages: Any = error.normalized_messages()
    errors: list[FieldError] = []
    for row, found in list(messages.items())[:_MOST_PROBLEMS_TOLD]:
        for problem in name_places(found):
            field = "" if problem["field"] == _WHOLE else problem["field"]
            errors.append({"field": field, "message": problem["message"]})
            if is_list:
                errors[-1] |= {"field": f"[{row}].{field}".rstrip("."), "row": row}
    return InvalidFeedback("; ".join(f"{error['field']}: {error['message']}" for error in errors), errors)


# Kept for good, but perhaps not settled: that is what this status means.
_ACCEPTED = 202

feedback = Blueprint("feedback", __name__)


@feedback.post("/feedback")
def take_feedback() -> Response:
    """Keep labels, and say what became of each."""
    parts = service()
    metrics = parts.metrics.feedback
    with _counting_refusals(metrics):
        parts.keys.admit(request.environ)
        request.max_content_length = parts.settings.max_batch_body_bytes
        loaded = load_feedback(read_json(request))
        labels, outcomes = _take(loaded)
    counts = Counter(outcome.result for outcome in outcomes)
    for label, outcome in zip(labels, outcomes, strict=True):
        # The recorder counts what it settles itself.
        if outcome.result == "taken" and outcome.found is not None:
            age_seconds = label.given_at - outcome.found.answered_at
            metrics.record_label(outcome.found.is_inlier, label.is_inlier, age_seconds)
    metrics.record_refused(UNKNOWN, counts["unknown"])
    if counts["unknown"] == len(labels):
        days = parts.settings.record_retention_days
        raise UnknownPrediction(
            f"No answer is recorded under any of these ids and rows: records are kept for {days} days, and not every "
            "answer need be recorded."
        )
    results = [
        {"request_id": label.request_id, "row": label.row, "result": outcome.result}
        for label, outcome in zip(labels, outcomes, strict=True)
    ]
    return answer_json({name: counts[name] for name in RESULTS} | {"labels": results}, _ACCEPTED)


def _take(loaded: list[dict[str, object]]) -> tuple[list[GivenLabel], list[Outcome]]:
    """Keep labels, and wait a little for the records of those that are early."""
    from app.records.feedback import take_labels, wait_for_records
    from app.records.labels import GivenLabel

    records, now = service().records, time.time()
    with records.use() as engine:
        labels = [GivenLabel(given_at=now, **label) for label in loaded]  # type: ignore[arg-type]
        taken = take_labels(engine, labels)
    with records.patience() as may_wait:
        expects_recorder = folder_of_workers() is not None
        return labels, wait_for_records(
            records.use, labels, taken, may_wait=may_wait, expects_recorder=expects_recorder
        )


@contextmanager
def _counting_refusals(metrics: FeedbackMetrics) -> Iterator[None]:
    """Count a request that is refused as a whole."""
    try:
        yield
    except (UnknownKey, CallerNotAllowed):
        metrics.record_refused(UNAUTHORIZED)
        raise
    except (KeysUnavailable, RecordsUnavailable):
        metrics.record_refused(UNAVAILABLE)
        raise
    except (RefusedRequest, HTTPException):
        metrics.record_refused(MALFORMED)
        raise
