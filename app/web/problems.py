"""Error responses: ``application/problem+json`` (RFC 9457), or the Open Inference Protocol's shape below ``/v2``."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask, Response, request
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.errors import FieldError, RefusedRequest
from app.web.codecs import answer_json
from app.web.middleware import request_ids
from app.web.validation import MAX_LISTED_PROBLEMS

PROBLEM_MEDIA_TYPE = "application/problem+json"

PROTOCOL_PATH = "/v2"

# Texts in a refusal repeat parts of the request, which may be megabytes long: about 8 KB in all.
_MAX_DETAIL, _MAX_TEXT = 2000, 150

log = logging.getLogger(__name__)


class ProblemPart(Schema):
    """What is wrong with one part of a request."""

    field = fields.String(required=True, metadata={"example": "feature_vector[1]"})
    row = fields.Integer(metadata={"description": "In a batch, counted from 0."})
    message = fields.String(required=True, metadata={"example": "sd: expected a number, got a string"})


class Problem(Schema):
    """Why a request was refused."""

    type = fields.String(required=True, metadata={"example": "about:blank"})
    title = fields.String(required=True, metadata={"description": "The status in words."})
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "What was wrong and what to do."})
    request_id = fields.String(required=True, metadata={"description": "Also in `X-Request-ID`, and in the log."})
    errors = fields.List(fields.Nested(ProblemPart), metadata={"description": "Every mistake whose place is known."})


class ProtocolError(Schema):
    """Why a request was refused."""

    error = fields.String(required=True, metadata={"description": "What was wrong and what to do."})


def register_error_handlers(app: Flask) -> None:
    """Answer refusals, HTTP errors and bugs; a bug is logged with its traceback, which the caller does not see."""
    app.register_error_handler(RefusedRequest, answer_refusal)

    @app.errorhandler(HTTPException)
    def handle_http_error(error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            return _problem(413, f"The body is longer than {request.max_content_length} bytes: send less at once.")
        if error.code is None or error.code < 400:  # a redirect
            return error.get_response()  # type: ignore[return-value]
        answer = _problem(error.code, error.description or HTTPStatus(error.code).phrase)
        # For example, 405 lists the allowed methods in a header.
        kept = [(name, value) for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")]
        answer.headers.extend(kept)
        return answer

    @app.errorhandler(Exception)
    def handle_bug(error: Exception) -> Response:
        log.error("unexpected error", exc_info=error, extra={"request_id": request_ids().request_id})
        return _problem(500, "Something went wrong here; the log has the details under this request id.")


def answer_refusal(error: RefusedRequest) -> Response:
    """Return the answer to a request that is refused on purpose."""
    answer = _problem(error.status, str(error), error.errors)
    answer.headers.extend(error.headers)
    return answer


def is_protocol_path(path: str) -> bool:
    """Return whether a path belongs to the Open Inference Protocol, which defines its own shape of errors.

    Examples
    --------
    >>> is_protocol_path("/v2"), is_protocol_path("/v2/models/isowatch"), is_protocol_path("/v2x")
    (True, True, False)
    """
    return path == PROTOCOL_PATH or path.startswith(f"{PROTOCOL_PATH}/")


def describe_problem(status: int, detail: str, identifier: str, errors: Sequence[FieldError] = ()) -> dict[str, Any]:
    """Return the body of a refusal; what it repeats of the request is shortened.

    Parameters
    ----------
    status
        The status, at least 400.
    detail
        What is wrong and what to do.
    identifier
        The id of the request.
    errors
        What is wrong with each part of the request.
    """
    body: dict[str, Any] = {
        "type": "about:blank",  # RFC 9457: the status is the type, and `title` is its phrase
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _shorten(detail, _MAX_DETAIL),
        "request_id": identifier,
    }
    if errors:
        body["errors"] = [_shorten_error(error) for error in errors[:MAX_LISTED_PROBLEMS]]
    return body


def _problem(status: int, detail: str, errors: Sequence[FieldError] = ()) -> Response:
    """Return an error response in the shape that the path requires; callers see ``detail``."""
    if is_protocol_path(request.path):
        return answer_json({"error": _shorten(detail, _MAX_DETAIL)}, status)
    body = describe_problem(status, detail, request_ids().request_id, errors)
    return Response(msgspec.json.encode(body), status, mimetype=PROBLEM_MEDIA_TYPE)


def _shorten_error(error: FieldError) -> FieldError:
    """Return an error whose texts are not long."""
    short = error.copy()
    short["field"], short["message"] = _shorten(error["field"], _MAX_TEXT), _shorten(error["message"], _MAX_TEXT)
    return short


def _shorten(text: str, characters: int) -> str:
    """Return a text, or its beginning and what was left out."""
    return text if len(text) <= characters else f"{text[:characters]}... ({len(text)} characters)"
