"""Who may use which route: checks of host name, site and API key before every view, and CORS headers after it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, current_app, request

from app.api.operation import Operation, operation_of
from app.api.prediction import PREDICTION_RULE
from app.api.service import MODEL_VERSION_HEADER, Service, service_of
from app.api.v2.body import JSON_LENGTH_HEADER
from app.errors import HostNotAllowed, KeyWithoutRole, OtherSite, RefusedRequest, TooManyWrongKeys, UnknownKey
from app.metrics.access import NO_KEY, NO_ROLE, TOO_MANY, WRONG_KEY
from app.metrics.http import UNMATCHED
from app.web.auth import CALLER_KEY, KEY_HEADER, Sender, sender_of
from app.web.hosts import is_from_another_site, is_listed_origin
from app.web.key_file import PREDICT
from app.web.middleware import RECORD_ID_HEADER, REQUEST_ID_HEADER, request_id

# What pages of CORS_ORIGINS may send and read; browsers allow the simple headers by themselves.
_CORS_REQUEST_HEADERS = ", ".join(("Content-Type", KEY_HEADER, REQUEST_ID_HEADER, JSON_LENGTH_HEADER))
_CORS_ANSWER_HEADERS = ", ".join((REQUEST_ID_HEADER, RECORD_ID_HEADER, MODEL_VERSION_HEADER, JSON_LENGTH_HEADER))

# How long a browser remembers what it may send: the longest that Chromium accepts.
_PREFLIGHT_SECONDS = 7200

log = logging.getLogger(__name__)


def install_access(app: Flask) -> None:
    """Check every request before its view runs."""
    app.before_request(_check_request)
    parts = service_of(app)
    parts.keys.check_files()
    if parts.settings.cors_origins:
        app.after_request(_add_cors_headers)


def find_caller_of_prediction(
    parts: Service, host: str | None, origin: str | None, sec_fetch_site: str | None, sender: Sender
) -> str | None:
    """Check a request to ``POST /prediction`` that is about to be answered without Flask.

    Parameters
    ----------
    parts
        The parts of the service.
    host, origin, sec_fetch_site
        The headers of these names; None if the request has none.
    sender
        The other end of the connection, and the key.

    Returns
    -------
    The caller's name, empty if it has none; or None if Flask must answer, with a refusal or with CORS headers.
    """
    if origin is not None or not parts.hosts.is_allowed(host) or is_from_another_site(None, sec_fetch_site, host):
        return None
    try:
        caller = parts.keys.authorize(PREDICT, sender)
    except RefusedRequest:
        return None
    _count_caller(parts, caller, PREDICT)
    return caller


class CheckedFastPath:
    """Passes predictions to the fast path if they need no further check, and everything else to Flask.

    Parameters
    ----------
    fast_path, flask
        The two applications.
    parts
        The parts of the service.
    """

    def __init__(self, fast_path: WSGIApplication, flask: WSGIApplication, parts: Service) -> None:
        self._fast_path, self._flask, self._parts = fast_path, flask, parts

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"] != PREDICTION_RULE:
            return self._flask(environ, start_response)
        host, origin = environ.get("HTTP_HOST"), environ.get("HTTP_ORIGIN")
        site, sender = environ.get("HTTP_SEC_FETCH_SITE"), sender_of(environ)
        caller = find_caller_of_prediction(self._parts, host, origin, site, sender)
        if caller is None:
            return self._flask(environ, start_response)
        environ[CALLER_KEY] = caller
        return self._fast_path(environ, start_response)


def _check_request() -> None:
    """Raise unless the host name, the site and the key of a request are allowed."""
    parts = service_of(current_app)
    operation = operation_of(current_app.view_functions.get(request.endpoint or ""))
    if operation is not None and operation.is_for_monitoring:
        return
    host, origin = request.environ.get("HTTP_HOST"), request.environ.get("HTTP_ORIGIN")
    if not parts.hosts.is_allowed(host):
        raise HostNotAllowed(parts.hosts.explain_refusal(host or ""))
    if operation is None or not operation.required_role or request.method == "OPTIONS":
        return
    if not is_listed_origin(origin, parts.settings.cors_origins) and is_from_another_site(
        origin, request.environ.get("HTTP_SEC_FETCH_SITE"), host
    ):
        raise OtherSite(
            "A page of another site may not do this. If it is yours, add its origin to CORS_ORIGINS; if a proxy is in "
            "between, make it pass on the Host header."
        )
    # The fast path may have authorized and counted the caller, and left the answer to Flask because of the body.
    if CALLER_KEY not in request.environ or operation.required_role != PREDICT:
        request.environ[CALLER_KEY] = _authorize(parts, operation)


def _authorize(parts: Service, operation: Operation) -> str:
    """Return the caller's name; count and log what is refused."""
    role, sender = operation.required_role, sender_of(request.environ)
    refused: Callable[[str], None] = parts.metrics.access.record_refused
    try:
        caller = parts.keys.authorize(role, sender)
    except UnknownKey:
        refused(WRONG_KEY if sender.key else NO_KEY)
        if sender.key:
            rule = request.url_rule.rule if request.url_rule else UNMATCHED
            address = parts.keys.address_of(sender) or "a Unix socket"
            extra: dict[str, Any] = {"request_id": request_id()}
            log.warning("wrong API key from %s for %s %s", address, request.method, rule, extra=extra)
        raise
    except TooManyWrongKeys:
        refused(TOO_MANY)
        raise
    except KeyWithoutRole:
        refused(NO_ROLE)
        raise
    _count_caller(parts, caller, role)
    return caller


def _count_caller(parts: Service, caller: str, role: str) -> None:
    """Count a request of a caller with a name."""
    if caller:
        parts.metrics.access.record_caller(caller, role)


def _add_cors_headers(response: Response) -> Response:
    """Let the browser give an answer to a page of ``CORS_ORIGINS``."""
    response.vary.add("Origin")  # a cache must not give the answer for one origin to another
    origin = request.environ.get("HTTP_ORIGIN")
    if not is_listed_origin(origin, service_of(current_app).settings.cors_origins):
        return response
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = _CORS_ANSWER_HEADERS
    if request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.environ:
        response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        response.headers["Access-Control-Allow-Headers"] = _CORS_REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = str(_PREFLIGHT_SECONDS)
    return response
