"""What the routes of records take and give, for the OpenAPI document: those that need a key."""

from __future__ import annotations

from typing import Any

from app.web.operations import Operation, QueryParameter

_TAG = "records"

_NOT_ADMITTED, _NO_RECORDS = (401, 403), 503


def _whole_number(name: str, meaning: str, default: int, least: int, most: int) -> QueryParameter:
    """Describe a number behind the path."""
    schema: dict[str, Any] = {"type": "integer", "default": default, "minimum": least, "maximum": most}
    return QueryParameter(name, meaning, schema)


RECORD_OPERATIONS = (
    Operation(
        path="/feedback",
        method="post",
        summary="Say what rows truly were.",
        description="One label, or a list of up to 1,000. The same label twice is one; another one replaces it, and "
        "the one before stays as history. A label may come before its answer is recorded: it waits. 404 only if "
        "nothing is recorded under any of the ids; 422 if any label is malformed, and then none is taken.",
        tag=_TAG,
        request="FeedbackRequest",
        answer="FeedbackAnswer",
        success=202,
        refusals=(400, *_NOT_ADMITTED, 404, 413, 415, 422, _NO_RECORDS),
        needs_key=True,
    ),
    Operation(
        path="/predictions/{request_id}",
        method="get",
        summary="What was answered, and what is known of it since.",
        description="Of a request id that came twice, the first record is shown, and all are named.",
        tag=_TAG,
        answer="RecordedAnswer",
        query=(
            _whole_number("first_row", "Rows of the request before it are left out.", 0, 0, 2**31 - 1),
            _whole_number("n", "Most rows to show.", 100, 1, 1000),
        ),
        refusals=(*_NOT_ADMITTED, 404, 422, _NO_RECORDS),
        needs_key=True,
    ),
    Operation(
        path="/audit/next",
        method="get",
        summary="Rows to label.",
        description="Inlier answers, drawn at random, without what the model said of them. Each is handed out to one "
        "caller; if it is not labelled within an hour, it comes again, behind those that were never handed out.",
        tag=_TAG,
        answer="AuditRows",
        query=(_whole_number("n", "Most rows to hand out.", 20, 1, 100),),
        refusals=(*_NOT_ADMITTED, 422, _NO_RECORDS),
        needs_key=True,
    ),
)
