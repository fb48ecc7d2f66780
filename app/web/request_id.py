"""The id of a request: the caller's, if it sent a sane one, else a new one; every answer carries it."""

from __future__ import annotations

import random
import re
from wsgiref.types import WSGIEnvironment

from flask import request

REQUEST_ID_HEADER = "X-Request-ID"

# Letters, digits and the separators of the usual id formats: nothing that could break a log line or a header.
# 128 leaves room for a trace id with a prefix.
_SANE = re.compile(r"[A-Za-z0-9._:-]{1,128}")

_ENVIRON_KEY = "isowatch.request_id"

# As many random bits as a version 4 UUID has, and a few more. They tell requests apart and guard nothing, so they need
# not come from the kernel, which would take the interpreter lock away in the middle of a request.
_RANDOM_BITS = 128


def take_or_make_request_id(environ: WSGIEnvironment) -> str:
    """Decide on the id of a request that has just come in, and note it in ``environ``."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    chosen: str = given if _SANE.fullmatch(given) else f"{random.getrandbits(_RANDOM_BITS):032x}"
    environ[_ENVIRON_KEY] = chosen
    return chosen


def request_id() -> str:
    """Tell the id of the request that Flask is answering."""
    return id_in(request.environ)


def id_in(environ: WSGIEnvironment) -> str:
    """Tell the id that was noted in ``environ``."""
    identifier: str = environ[_ENVIRON_KEY]
    return identifier
