"""WSGI middleware around every request that Flask answers: its ids, the number of requests in flight, its log line.

It works below Flask, because it also sees requests that fail before Flask's hooks run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, request

from app.db.ids import make_record_id
from app.metrics.http import UNMATCHED
from app.metrics.service import ServiceMetrics
from app.web.access_log import RequestLog
from app.web.auth import caller_in

REQUEST_ID_HEADER, RECORD_ID_HEADER = "X-Request-ID", "X-Record-ID"

# Tells a caller that its id was not used, and why.
REFUSED_ID_HEADER, REFUSED_ID = "X-Request-ID-Refused", "expected 1 to 128 visible ASCII characters"

# Visible ASCII, as in Base64, `Root=1-...` and `{GUID}`: nothing that could break a log line or a header. 128
# characters leave room for a trace id with a prefix, and are the length of the column in app.db.tables.
REQUEST_ID_PATTERN = r"[!-~]{1,128}"

_REQUEST_ID = re.compile(REQUEST_ID_PATTERN)

_IDS_KEY = "isowatch.ids"

# The methods of RFC 9110, and PATCH. Any other method is renamed, and answered with 405 or 404.
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
OTHER_METHOD = "OTHER"

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


def is_valid_request_id(identifier: str) -> bool:
    """Return whether a text can be the id of a request.

    Examples
    --------
    >>> is_valid_request_id("dGVzdA=="), is_valid_request_id(""), is_valid_request_id("two words")
    (True, False, False)
    """
    return _REQUEST_ID.fullmatch(identifier) is not None


class RequestIds(NamedTuple):
    """The ids of a request.

    Parameters
    ----------
    request_id
        The caller's id if it sent a valid one, else the record id.
    record_id
        The id under which the answer is recorded. It is ours, because callers repeat themselves.
    is_refused
        Whether the caller sent an id that is not valid; the answer says so in ``X-Request-ID-Refused``.
    """

    request_id: str
    record_id: str
    is_refused: bool = False


def assign_ids(given: str) -> RequestIds:
    """Assign ids to a new request that sent ``given`` as ``X-Request-ID``, or nothing."""
    record_id = make_record_id()
    if is_valid_request_id(given):
        return RequestIds(given, record_id)
    return RequestIds(record_id, record_id, is_refused=bool(given))


def request_ids() -> RequestIds:
    """Return the ids of the request that Flask is answering."""
    ids: RequestIds = request.environ[_IDS_KEY]
    return ids


class RequestMiddleware:
    """Calls the application, and measures and logs each request.

    Parameters
    ----------
    application
        Flask's own WSGI application.
    metrics
        Count the requests in flight.
    log
        Receives one line per request; None if requests are not logged.
    """

    def __init__(self, application: WSGIApplication, metrics: ServiceMetrics, log: RequestLog | None) -> None:
        self._application, self._metrics, self._log = application, metrics, log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        if environ["REQUEST_METHOD"] not in KNOWN_METHODS:
            environ["REQUEST_METHOD"] = OTHER_METHOD  # before it can become a label
        ids = environ[_IDS_KEY] = assign_ids(environ.get("HTTP_X_REQUEST_ID", ""))
        status, route = 500, UNMATCHED

        def start(line: str, headers: list[tuple[str, str]], exc_info: _ExceptionInfo = None) -> Any:
            nonlocal status, route
            status, route = int(line[:3]), _route_of(environ)  # Flask forgets the request when it returns
            headers.append((REQUEST_ID_HEADER, ids.request_id))
            if ids.is_refused:
                headers.append((REFUSED_ID_HEADER, REFUSED_ID))
            return start_response(line, headers, exc_info)

        self._metrics.record_request_started()
        try:
            return self._application(environ, start)
        finally:
            self._metrics.record_request_ended()
            if self._log is not None:
                seconds = time.perf_counter() - started
                self._log.add(ids.request_id, environ["REQUEST_METHOD"], route, status, seconds, caller_in(environ))


def install_middleware(app: Flask, metrics: ServiceMetrics, log: RequestLog | None) -> None:
    """Wrap an application in the middleware."""
    app.wsgi_app = RequestMiddleware(app.wsgi_app, metrics, log)  # type: ignore[method-assign]


def _route_of(environ: WSGIEnvironment) -> str:
    """Return the route of a request and never its path, which may hold anything."""
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return rule.rule if rule else UNMATCHED
