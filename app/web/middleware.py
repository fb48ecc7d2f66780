"""WSGI middleware around every request: its ids, the number of requests in flight, and its log line.

It works below Flask, because each of the seven hooks that Flask would need costs several microseconds, and because it
also sees requests that fail before Flask's hooks run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, request

from app.db.ids import make_record_id
from app.metrics.http import UNMATCHED, FastPathMetrics
from app.metrics.service import ServiceMetrics
from app.web.access_log import RequestLog

REQUEST_ID_HEADER, RECORD_ID_HEADER = "X-Request-ID", "X-Record-ID"

# Letters, digits and the separators of common id formats: nothing that could break a log line or a header. 128
# characters leave room for a trace id with a prefix.
REQUEST_ID_PATTERN = r"[A-Za-z0-9._:-]{1,128}"

_REQUEST_ID = re.compile(REQUEST_ID_PATTERN)

_REQUEST_ID_KEY, _RECORD_ID_KEY = "isowatch.request_id", "isowatch.record_id"

# The route of a request that was answered below Flask.
_FAST_PATH_KEY = "isowatch.fast_path_rule"

# The methods of RFC 9110, and PATCH. Any other method is renamed, and answered with 405 or 404.
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
OTHER_METHOD = "OTHER"

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


def is_valid_request_id(identifier: str) -> bool:
    """Return whether a text can be the id of a request.

    Examples
    --------
    >>> is_valid_request_id("7f3e"), is_valid_request_id(""), is_valid_request_id("two words")
    (True, False, False)
    """
    return _REQUEST_ID.fullmatch(identifier) is not None


def request_id() -> str:
    """Return the id of the request that Flask is answering."""
    return request_id_in(request.environ)


def request_id_in(environ: WSGIEnvironment) -> str:
    """Return the id of a request."""
    identifier: str = environ[_REQUEST_ID_KEY]
    return identifier


def record_id_in(environ: WSGIEnvironment) -> str:
    """Return the id under which the answer is recorded; it equals the request id if the caller sent none."""
    identifier: str = environ[_RECORD_ID_KEY]
    return identifier


def mark_fast_path(environ: WSGIEnvironment, rule: str) -> None:
    """Mark a request as answered below Flask, by the route ``rule``."""
    environ[_FAST_PATH_KEY] = rule


class SynchronousFlask(Flask):
    """A Flask application whose views and hooks are all plain functions."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``func`` unchanged; checking whether it is a coroutine took 8 us per request."""
        return func


class RequestMiddleware:
    """Calls the application, and measures and logs each request.

    Parameters
    ----------
    application
        Flask's own WSGI application, or one around it.
    metrics
        Count the requests in flight.
    fast_path
        Counts requests that are answered below Flask; Flask's hooks count all others.
    log
        Receives one line per request; None if requests are not logged.
    """

    def __init__(
        self,
        application: WSGIApplication,
        metrics: ServiceMetrics,
        fast_path: FastPathMetrics,
        log: RequestLog | None,
    ) -> None:
        self._application, self._metrics, self._fast_path, self._log = application, metrics, fast_path, log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        started = time.perf_counter()
        if environ["REQUEST_METHOD"] not in KNOWN_METHODS:
            environ["REQUEST_METHOD"] = OTHER_METHOD  # before it can become a label
        identifier = _assign_ids(environ)
        status, route = 500, UNMATCHED

        def start(line: str, headers: list[tuple[str, str]], exc_info: _ExceptionInfo = None) -> Any:
            nonlocal status, route
            status, route = int(line[:3]), _route_of(environ)  # Flask forgets the request when it returns
            headers.append((REQUEST_ID_HEADER, identifier))
            return start_response(line, headers, exc_info)

        self._metrics.record_request_started()
        try:
            return self._application(environ, start)
        finally:
            self._metrics.record_request_ended()
            method, seconds = environ["REQUEST_METHOD"], time.perf_counter() - started
            if _FAST_PATH_KEY in environ:
                self._fast_path.record(method, route, status, seconds)
            if self._log is not None:
                self._log.add(identifier, method, route, status, seconds)


def install_middleware(app: Flask, metrics: ServiceMetrics, fast_path: FastPathMetrics, log: RequestLog | None) -> None:
    """Wrap an application in the middleware."""
    app.wsgi_app = RequestMiddleware(app.wsgi_app, metrics, fast_path, log)  # type: ignore[method-assign]


def _assign_ids(environ: WSGIEnvironment) -> str:
    """Assign a record id and a request id to a new request, and return the request id.

    The request id is the caller's if it is valid. Callers repeat themselves, so answers are recorded under an id of
    our own.
    """
    record_id = environ[_RECORD_ID_KEY] = make_record_id()
    given = environ.get("HTTP_X_REQUEST_ID", "")
    identifier: str = given if is_valid_request_id(given) else record_id
    environ[_REQUEST_ID_KEY] = identifier
    return identifier


def _route_of(environ: WSGIEnvironment) -> str:
    """Return the route of a request and never its path, which may hold anything."""
    if _FAST_PATH_KEY in environ:
        fast_path_rule: str = environ[_FAST_PATH_KEY]
        return fast_path_rule
    rule = getattr(environ.get("werkzeug.request"), "url_rule", None)
    return rule.rule if rule else UNMATCHED
