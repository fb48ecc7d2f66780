"""Error responses: ``application/problem+json`` (RFC 9457), or the Open Inference Protocol's shape below ``/v2``."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from flask import Flask, Response, request
from marshmallow import Schema, fields
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from app.errors import FieldError, InvalidFields, RefusedRequest
from app.web.codecs import answer_json
from app.web.middleware import request_id

PROBLEM_MEDIA_TYPE = "application/problem+json"

PROTOCOL_PATH = "/v2"

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
    errors = fields.List(fields.Nested(ProblemPart), metadata={"description": "Every mistake (422)."})


class ProtocolError(Schema):
    """Why a request was refused."""

    error = fields.String(required=True, metadata={"description": "What was wrong and what to do."})


def register_error_handlers(app: Flask) -> None:
    """Answer refusals, HTTP errors and bugs; a bug is logged with its traceback, which the caller does not see."""

    @app.errorhandler(RefusedRequest)
    def handle_refusal(error: RefusedRequest) -> Response:
        errors = error.errors if isinstance(error, InvalidFields) else []
        answer = _problem(error.status, str(error), errors)
        answer.headers.extend(error.headers)
        return answer

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
        log.error("unexpected error", exc_info=error, extra={"request_id": request_id()})
        return _problem(500, "Something went wrong here; the log has the details under this request id.")


def is_protocol_path(path: str) -> bool:
    """Return whether a path belongs to the Open Inference Protocol, which defines its own shape of errors.

    Examples
    --------
    >>> is_protocol_path("/v2"), is_protocol_path("/v2/models/isowatch"), is_protocol_path("/v2x")
    (True, True, False)
    """
    return path == PROTOCOL_PATH or path.startswith(f"{PROTOCOL_PATH}/")


def _problem(status: int, detail: str, errors: list[FieldError] | None = None) -> Response:
    """Return an error response in the shape that the path requires; callers see ``detail``."""
    if is_protocol_path(request.path):
        return answer_json({"error": detail}, status)
    body: dict[str, Any] = {
        "type": "about:blank",  # RFC 9457: the status is the type, and `title` is its phrase
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "request_id": request_id(),
    }
    if errors:
        body["errors"] = errors
    return Response(msgspec.json.encode(body), status, mimetype=PROBLEM_MEDIA_TYPE)
