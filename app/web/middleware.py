"""What surrounds every request: its id, the count of requests in flight, and its log line.

This is a layer of WSGI, below Flask: a hook of Flask costs several microseconds before it has done anything, and there
would be seven of them. It also sees requests that fail before Flask's hooks run.

The id of a request: the caller's, if it sent a sane one, else a new one; every answer carries it.

Callers repeat themselves, so beside it each request gets an id of ours, under which its answer is recorded.

Flask without the question, asked before every hook and view, whether it is a coroutine.
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
from app.metrics.http import UNMATCHED, FastPathMetrics, route_of, took_fast_path
from app.metrics.service import ServiceMetrics
from app.web.access_log import RequestLog

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


class SynchronousFlask(Flask):
    """A Flask application whose views and hooks are all plain functions."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Give ``func`` as it is; looking for coroutines took 8 us of each request."""
        return func


# RFC 9110's methods and PATCH; the name for any other, which gets a 405 or 404 anyway.
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
OTHER_METHOD = "OTHER"

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


class RequestMiddleware:
    """Calls the application, and notes what came in and what went out.

    Parameters
    ----------
    application
        Flask's own WSGI application.
    metrics
        Counts the requests in flight.
    express
        Counts requests that are answered below Flask, whose hooks count all others.
    log
        Takes one line a request.
    """

    def __init__(
        self, application: WSGIApplication, metrics: ServiceMetrics, express: FastPathMetrics, log: RequestLog
    ) -> None:
        self._application, self._metrics, self._express, self._log = application, metrics, express, log

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        begun = time.perf_counter()
        if environ["REQUEST_METHOD"] not in KNOWN_METHODS:
            environ["REQUEST_METHOD"] = OTHER_METHOD  # before it can become a label
        identifier = take_or_make_request_id(environ)
        status, route = 500, UNMATCHED

        def start(line: str, headers: list[tuple[str, str]], exc_info: _ExceptionInfo = None) -> Any:
            nonlocal status, route
            status, route = int(line[:3]), route_of(environ)  # Flask forgets the request when it returns
            headers.append((REQUEST_ID_HEADER, identifier))
            return start_response(line, headers, exc_info)

        self._metrics.record_request_begun()
        try:
            return self._application(environ, start)
        finally:
            self._metrics.record_request_ended()
            method, seconds = environ["REQUEST_METHOD"], time.perf_counter() - begun
            if took_fast_path(environ):
                self._express.record(method, route, status, seconds)
            self._log.add(identifier, method, route, status, seconds)


def install_middleware(app: Flask, metrics: ServiceMetrics, express: FastPathMetrics, log: RequestLog) -> None:
    """Surround every request of ``app``."""
    app.wsgi_app = RequestMiddleware(app.wsgi_app, metrics, express, log)  # type: ignore[method-assign]
