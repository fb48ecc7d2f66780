"""The id of a request: the caller's, if it sent a sane one, else a new one; every answer carries it."""

from __future__ import annotations

import re
import uuid

from flask import Flask, Response, g, request

HEADER = "X-Request-ID"

# Letters, digits and the separators of the usual id formats: nothing that could break a log line or a header.
# 128 leaves room for a trace id with a prefix.
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def register_request_id(app: Flask) -> None:
    """Give every request its id, as ``request_id()``, and send it back."""

    @app.before_request
    def take_or_make() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex

    @app.after_request
    def send_back(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        return response


def request_id() -> str:
    """Tell the id of the request that is being answered."""
    if "request_id" not in g:
        # Flask skips the hooks before a request whose routing failed early.
        g.request_id = uuid.uuid4().hex
    identifier: str = g.request_id
    return identifier
