"""Who may use which route: checks of host name, site and API key before every view, and CORS headers after it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, current_app, request

from app.api.operation import Operation, operation_of
from app.api.service import MODEL_VERSION_HEADER, Service, service_of
from app.api.v2.body import JSON_LENGTH_HEADER
from app.errors import HostNotAllowed, KeyWithoutRole, OtherSite, TooManyWrongKeys, UnknownKey
from app.metrics.access import NO_KEY, NO_ROLE, TOO_MANY, WRONG_KEY
from app.metrics.http import UNMATCHED
from app.web.auth import CALLER_KEY, KEY_HEADER, sender_of
from app.web.hosts import is_from_another_site, is_listed_origin
from app.web.middleware import RECORD_ID_HEADER, REFUSED_ID_HEADER, REQUEST_ID_HEADER, request_ids

# What pages of CORS_ORIGINS may send and read; browsers allow the simple headers by themselves.
_CORS_REQUEST_HEADERS = ", ".join(("Content-Type", KEY_HEADER, REQUEST_ID_HEADER, JSON_LENGTH_HEADER))
_CORS_ANSWER_HEADERS = ", ".join(
    (REQUEST_ID_HEADER, REFUSED_ID_HEADER, RECORD_ID_HEADER, MODEL_VERSION_HEADER, JSON_LENGTH_HEADER)
)

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
            extra: dict[str, Any] = {"request_id": request_ids().request_id}
            log.warning("wrong API key from %s for %s %s", address, request.method, rule, extra=extra)
        raise
    except TooManyWrongKeys:
        refused(TOO_MANY)
        raise
    except KeyWithoutRole:
        refused(NO_ROLE)
        raise
    if caller:
        parts.metrics.access.record_caller(caller, role)
    return caller


def _add_cors_headers(response: Response) -> Response:
    """Add the headers with which a browser passes an answer to a page of ``CORS_ORIGINS``."""
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
