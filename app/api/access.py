"""Who may use which route: checks of host name, site and API key before every view, and CORS headers after it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, current_app, request

from app.api.operation import Operation, operation_of
from app.api.service import MODEL_VERSION_HEADER, Service, service_of
from app.api.v2.body import JSON_LENGTH_HEADER
from app.errors import HostNotAllowed, KeyWithoutRole, OtherSite, TooManyWrongKeys, UnknownKey
from app.metrics.access import NO_KEY, NO_ROLE, TOO_MANY, WRONG_KEY
from app.metrics.http import UNMATCHED
from app.web.auth import CALLER_KEY, KEY_HEADER, Sender, sender_of
from app.web.hosts import is_from_another_site, is_listed_origin
from app.web.middleware import RECORD_ID_HEADER, REFUSED_ID_HEADER, REQUEST_ID_HEADER, request_ids
from app.web.session import CSRF_HEADER, SESSION_COOKIE

# What pages of CORS_ORIGINS may send and read; browsers allow the simple headers by themselves.
_CORS_REQUEST_HEADERS = ", ".join(("Content-Type", KEY_HEADER, REQUEST_ID_HEADER, JSON_LENGTH_HEADER))
_CORS_ANSWER_HEADERS = ", ".join(
    (REQUEST_ID_HEADER, REFUSED_ID_HEADER, RECORD_ID_HEADER, MODEL_VERSION_HEADER, JSON_LENGTH_HEADER)
)

# How long a browser remembers what it may send: the longest that Chromium accepts.
_PREFLIGHT_SECONDS = 7200

# Methods that change nothing, and so need no token.
_SAFE_METHODS = {"GET", "HEAD"}

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
    is_checked = operation is not None and (operation.required_role or operation.refuses_other_sites)
    if operation is None or not is_checked or request.method == "OPTIONS":
        return
    if not is_listed_origin(origin, parts.settings.cors_origins) and is_from_another_site(
        origin, request.environ.get("HTTP_SEC_FETCH_SITE"), host
    ):
        raise OtherSite(
            "A page of another site may not do this. If it is yours, add its origin to CORS_ORIGINS; if a proxy is in "
            "between, make it pass on the Host header."
        )
    if operation.required_role:
        request.environ[CALLER_KEY] = _authorize(parts, operation)


def browser_of(parts: Service) -> Sender:
    """Return the sender of the current request, with its session if a browser signed in and sent no key."""
    sender = sender_of(request.environ)
    cookie = request.cookies.get(SESSION_COOKIE, "")
    if sender.key or not cookie or parts.sessions is None:
        return sender
    return sender._replace(session=parts.sessions.read(cookie) or b"")


def _authorize(parts: Service, operation: Operation) -> str:
    """Return the caller's name; count and log what is refused."""
    role, sender = operation.required_role, browser_of(parts)
    if sender.session and request.method not in _SAFE_METHODS:
        _require_token(parts)
    with count_refused_keys(parts, sender):
        caller = parts.keys.authorize(role, sender)
    if caller:
        parts.metrics.access.record_caller(caller, role)
    return caller


@contextmanager
def count_refused_keys(parts: Service, sender: Sender) -> Iterator[None]:
    """Count what is refused inside the block because of the key, and log wrong keys."""
    refused: Callable[[str], None] = parts.metrics.access.record_refused
    try:
        yield
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


def _require_token(parts: Service) -> None:
    """Raise unless a write of a signed-in browser has the token of its session, which only our own pages know."""
    assert parts.sessions is not None, "there is a session"
    cookie, token = request.cookies[SESSION_COOKIE], request.headers.get(CSRF_HEADER, "")
    if not parts.sessions.is_csrf_token(cookie, token):
        raise OtherSite(f"Send the token of your session as {CSRF_HEADER}; if the page is old, reload it.")


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
