"""``POST /feedback``: submit the true labels of answered rows; ``POST /feedback/withdraw``: take them back."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from marshmallow import Schema, ValidationError, fields, validate

from app.api.operation import NO_RECORDS, Operation, RawSchema, reference_to
from app.api.service import service
from app.errors import BodyTooLarge, InvalidFeedback, UnknownPrediction, count_of
from app.metrics.directory import folder_of_workers
from app.metrics.records import MALFORMED, UNAUTHORIZED, UNAVAILABLE, UNKNOWN
from app.web.auth import caller_in
from app.web.codecs import answer_json, read_json
from app.web.fields import MAX_ROW_NUMBER, StrictInteger
from app.web.key_file import LABELLER
from app.web.middleware import REQUEST_ID_PATTERN
from app.web.validation import MAX_LISTED_PROBLEMS, flatten_errors, json_type

if TYPE_CHECKING:
    from app.records.feedback import Outcome
    from app.records.labels import GivenLabel

# The lengths of the columns in app.db.tables, which a worker does not load.
SOURCE_CHARACTERS, NOTE_CHARACTERS = 64, 1000

# More than an analyst submits in a day. They are stored in one transaction, which keeps other writers waiting.
MAX_LABELS = 1000

# Control characters could confuse a terminal; line ends and tabs are useful to people.
_LINE_PATTERN = r"^[^\x00-\x1f\x7f-\x9f]*$"
_TEXT_PATTERN = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"

_EXPECTED_LABEL = "1 (inlier) or -1 (outlier)"

RESULTS = ("taken", "unchanged", "waiting", "unknown")

# The labels are stored for good, but their rows may not be recorded yet: that is what this status means.
_ACCEPTED = 202

# Why a request was refused, for the metric.
_REASONS = dict.fromkeys((401, 403, 429), UNAUTHORIZED) | dict.fromkeys((400, 413, 415, 422), MALFORMED)
_REASONS[503] = UNAVAILABLE

feedback = Blueprint("feedback", __name__)


def note_field(description: str) -> fields.String:
    """Return the field of a note."""
    return fields.String(
        load_default="",
        validate=[
            validate.Length(max=NOTE_CHARACTERS),
            validate.Regexp(_TEXT_PATTERN[:-1] + r"\Z", error="expected no control characters but tabs and line ends"),
        ],
        metadata={"description": description, "pattern": _TEXT_PATTERN, "example": "called the customer"},
    )


class NamedRow(Schema):
    """A row of an answer."""

    error_messages = {"type": "expected an object with request_id"}  # noqa: RUF012 - marshmallow's way

    request_id = fields.String(
        required=True,
        validate=validate.Regexp(
            REQUEST_ID_PATTERN + r"\Z", error="expected the X-Request-ID or X-Record-ID of an answer"
        ),
        metadata={
            "description": "`X-Record-ID` of the answer, which is unique, or its `X-Request-ID`.",
            "pattern": f"^{REQUEST_ID_PATTERN}$",
            "example": "019a9c5e8f24b6d0c1a2e3f405162738",
        },
    )
    row = StrictInteger(
        load_default=0,
        validate=validate.Range(0, MAX_ROW_NUMBER),
        metadata={"description": "The row's number in the request, counted from 0."},
    )


class Label(NamedRow):
    """The true label of a row."""

    error_messages = {"type": "expected an object with request_id and is_inlier"}  # noqa: RUF012 - marshmallow's way

    is_inlier = StrictInteger(
        required=True,
        expected=_EXPECTED_LABEL,
        validate=validate.OneOf((1, -1), error=f"expected {_EXPECTED_LABEL}"),
        metadata={"description": "What the row truly is: 1 inlier, -1 outlier."},
    )
    source = fields.String(
        load_default="",
        validate=[
            validate.Length(max=SOURCE_CHARACTERS),
            validate.Regexp(_LINE_PATTERN[:-1] + r"\Z", error="expected no control characters"),
        ],
        metadata={"description": "Who submitted the label.", "pattern": _LINE_PATTERN, "example": "fraud-desk"},
    )
    note = note_field("Free-text reason.")


class LabelResult(Schema):
    """What became of one label."""

    request_id = fields.String(required=True)
    row = fields.Integer(required=True)
    result = fields.String(
        required=True,
        validate=validate.OneOf(RESULTS),
        metadata={
            "description": "`taken`; `unchanged` if it was known; `waiting` until its row is recorded; "
            "`unknown` if nothing is recorded under the id."
        },
    )


# Not a class, because a field named `unknown` would replace marshmallow's own setting of that name.
FeedbackAnswer = Schema.from_dict(
    {name: fields.Integer(required=True, metadata={"description": "Number of labels."}) for name in RESULTS}
    | {
        "labels": fields.List(
            fields.Nested(LabelResult), required=True, metadata={"description": "In the order of the request."}
        )
    },
    name="FeedbackAnswer",
)


class Withdrawn(Schema):
    """What was taken back."""

    withdrawn = fields.Integer(
        required=True, metadata={"description": "Rows about which the caller had said anything."}
    )


_LABELS, _ROWS = Label(many=True), NamedRow(many=True)


def _one_or_many(name: str, item: type[Schema]) -> RawSchema:
    """Return the schema of a body that is one object or a list of them."""
    one = reference_to(item.__name__)
    schema = {"oneOf": [one, {"type": "array", "items": one, "minItems": 1, "maxItems": MAX_LABELS}]}
    return RawSchema(name=name, schema=schema, uses=(item,))


def load_feedback(body: object, schema: Schema = _LABELS) -> list[dict[str, Any]]:
    """Check a decoded body, which is one label or a list of labels.

    Parameters
    ----------
    body
        Any JSON value.
    schema
        Of a list of labels, or of rows only.

    Returns
    -------
    The fields of the schema for each label, with defaults.

    Raises
    ------
    BodyTooLarge
        If there are more than a thousand labels.
    InvalidFeedback
        With one entry for each mistake, in up to twenty labels.

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
        raise InvalidFeedback([{"field": "", "message": message}])
    labels = body if isinstance(body, list) else [body]
    if len(labels) > MAX_LABELS:
        raise BodyTooLarge(f"The request has {len(labels)} labels: send at most {MAX_LABELS} at once.")
    try:
        loaded: list[dict[str, Any]] = schema.load(labels)
    except ValidationError as error:
        messages: Any = error.normalized_messages()
        listed = dict(list(messages.items())[:MAX_LISTED_PROBLEMS])
        errors = flatten_errors(listed, rows_in="") if isinstance(body, list) else flatten_errors(listed[0])
        raise InvalidFeedback(errors) from None
    return loaded


@feedback.post("/feedback")
@Operation(
    summary="Submit true labels.",
    description="One label, or a list of up to 1,000. Repeating a label changes nothing; a different one replaces it, "
    "and the old one is kept as history. A label that arrives before its answer is recorded is pending. The answer is "
    "404 only if nothing is recorded under any of the ids, and 422 if any label is malformed; then no label is stored.",
    tag="records",
    request=_one_or_many("FeedbackRequest", Label),
    answer=FeedbackAnswer,
    success=_ACCEPTED,
    refusals=(400, 404, 413, 415, 422, *NO_RECORDS),
    body_limit="max_batch_body_bytes",
    role=LABELLER,
)
def submit_labels() -> Response:
    """Store labels, and return what became of each."""
    parts = service()
    metrics = parts.metrics.feedback
    labels, outcomes = _store(load_feedback(read_json(request)))
    counts = Counter(outcome.result for outcome in outcomes)
    for label, outcome in zip(labels, outcomes, strict=True):
        # The recorder counts pending labels when it reconciles them.
        if outcome.result == "taken" and outcome.found is not None:
            age_seconds = label.given_at - outcome.found.answered_at
            metrics.record_label(outcome.found.is_inlier, label.is_inlier, age_seconds)
    metrics.record_refused(UNKNOWN, counts["unknown"])
    if counts["unknown"] == len(labels):
        kept = count_of(parts.settings.record_retention_days, "day")
        raise UnknownPrediction(
            f"No answer is recorded under any of these ids and rows: records are kept for {kept}, and not every "
            "answer is recorded."
        )
    results = [
        {"request_id": label.request_id, "row": label.row, "result": outcome.result}
        for label, outcome in zip(labels, outcomes, strict=True)
    ]
    return answer_json({name: counts[name] for name in RESULTS} | {"labels": results}, _ACCEPTED)


def _store(loaded: list[dict[str, object]]) -> tuple[list[GivenLabel], list[Outcome]]:
    """Store labels, and wait a little for records that have not arrived yet."""
    from app.records.feedback import take_labels, wait_for_records
    from app.records.labels import GivenLabel

    records, now, caller = service().records, time.time(), caller_in(request.environ) or None
    with records.use() as engine:
        labels = [GivenLabel(given_at=now, given_by=caller, **label) for label in loaded]  # type: ignore[arg-type]
        taken = take_labels(engine, labels)
    with records.waiting_slot() as may_wait:
        expects_recorder = folder_of_workers() is not None
        return labels, wait_for_records(
            records.use, labels, taken, may_wait=may_wait, expects_recorder=expects_recorder
        )


@feedback.post("/feedback/withdraw")
@Operation(
    summary="Take back what you said.",
    description="Deletes the labels and notes that the caller's key gave to one row or to a list of up to 1,000; "
    "without a key, those that were given without one. Labels of others stay, and the newest of them counts again.",
    tag="records",
    request=_one_or_many("WithdrawRequest", NamedRow),
    answer=Withdrawn,
    refusals=(400, 413, 415, 422, *NO_RECORDS),
    body_limit="max_batch_body_bytes",
    role=LABELLER,
)
def withdraw_labels() -> Response:
    """Withdraw labels and notes."""
    loaded, caller = load_feedback(read_json(request), _ROWS), caller_in(request.environ) or None
    with service().records.use() as engine:
        from app.records.feedback import withdraw
        from app.records.lookup import RowName

        are_withdrawn = withdraw(engine, [RowName(**row) for row in loaded], caller, time.time())
    return answer_json({"withdrawn": sum(are_withdrawn)})


@feedback.after_request
def _count_refusal(response: Response) -> Response:
    """Count a request that was refused as a whole, also before the view ran; the view counts unknown rows."""
    reason = _REASONS.get(response.status_code)
    if reason is not None and request.endpoint != "feedback.withdraw_labels":
        service().metrics.feedback.record_refused(reason)
    return response
