"""The id of a request: the caller's, if it sent a sane one, else a new one; every answer carries it.

Callers repeat themselves, so beside it each request gets an id of ours, under which its answer is recorded.
"""

from __future__ import annotations

import re
from wsgiref.types import WSGIEnvironment

from flask import request

from app.records.record_id import make_record_id

REQUEST_ID_HEADER = "X-Request-ID"

# Letters, digits and the separators of the usual id formats: nothing that could break a log line or a header.
# 128 leaves room for a trace id with a prefix.
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")

RECORD_ID_HEADER = "X-Record-ID"

_ENVIRON_KEY, _RECORD_KEY = "isowatch.request_id", "isowatch.record_id"


def take_or_make_request_id(environ: WSGIEnvironment) -> str:
    """Decide on the id of a request that has just come in, and note it in ``environ``."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    environ[_RECORD_KEY] = own = make_record_id()
    chosen: str = given if is_sane(given) else own
    environ[_ENVIRON_KEY] = chosen
    return chosen


def is_sane(identifier: str) -> bool:
    """Tell whether a text can be the id of a request.

    Examples
    --------
    >>> is_sane("7f3e"), is_sane(""), is_sane("two words")
    (True, False, False)
    """
    return _SANE.fullmatch(identifier) is not None


def request_id() -> str:
    """Tell the id of the request that Flask is answering."""
    return id_in(request.environ)


def id_in(environ: WSGIEnvironment) -> str:
    """Tell the id that was noted in ``environ``."""
    identifier: str = environ[_ENVIRON_KEY]
    return identifier


def record_id_in(environ: WSGIEnvironment) -> str:
    """Tell the id under which the answer is recorded; it is the request's own if the caller gave none."""
    identifier: str = environ[_RECORD_KEY]
    return identifier
