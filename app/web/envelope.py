"""What surrounds every request: its id, the count of requests in flight, and its log line.

This is a layer of WSGI, below Flask: a hook of Flask costs several microseconds before it has done anything, and there
would be seven of them. It also sees requests that fail before Flask's hooks run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask

from app.metrics import ServiceMetrics
from app.web.http_metrics import ExpressRequests
from app.web.request_id import REQUEST_ID_HEADER, take_or_make_request_id
from app.web.request_log import RequestLog
from app.web.route_names import UNMATCHED, route_of, was_express

# RFC 9110's methods and PATCH; the name for any other, which gets a 405 or 404 anyway.
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
OTHER_METHOD = "OTHER"

_ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


class Envelope:
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
        self, application: WSGIApplication, metrics: ServiceMetrics, express: ExpressRequests, log: RequestLog
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
            if was_express(environ):
                self._express.record(method, route, status, seconds)
            self._log.add(identifier, method, route, status, seconds)


def put_in_envelope(app: Flask, metrics: ServiceMetrics, express: ExpressRequests, log: RequestLog) -> None:
    """Surround every request of ``app``."""
    app.wsgi_app = Envelope(app.wsgi_app, metrics, express, log)  # type: ignore[method-assign]
