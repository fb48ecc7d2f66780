"""``POST /sign-in`` and ``POST /sign-out``: a browser sends a key once, and a cookie stands for it from then on."""

from __future__ import annotations

from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from app.api.access import browser_of, count_refused_keys
from app.api.operation import Operation
from app.api.service import service
from app.errors import CallerNotAllowed
from app.server.client_address import TrustedProxies
from app.web.codecs import answer_json, load_body, read_json
from app.web.headers import forbid_caching
from app.web.hosts import public_root
from app.web.session import SESSION_COOKIE

# Far longer than any key that people paste.
_MAX_KEY_CHARACTERS = 1000

session = Blueprint("session", __name__)


class SignIn(Schema):
    """The key to sign in with."""

    key = fields.String(
        required=True,
        validate=validate.Length(1, _MAX_KEY_CHARACTERS),
        metadata={"description": "A key in `API_KEYS_FILE` or `FEEDBACK_API_KEYS_FILE`."},
    )


class SignedIn(Schema):
    """Who is signed in."""

    name = fields.String(required=True, metadata={"description": "The name of the key."})
    roles = fields.List(fields.String(), required=True)


_SIGN_IN = SignIn()


@session.post("/sign-in")
@Operation(
    summary="Sign in with a key.",
    description="The answer sets a cookie that stands for the key until it expires after `SESSION_HOURS`, or the key "
    "leaves its file. Writes with the cookie also need the token that the console's pages hold. Programs send "
    "`X-API-Key` instead.",
    tag="pages",
    request=SignIn,
    answer=SignedIn,
    refusals=(400, 401, 413, 415, 422, 429, 503),
    refuses_other_sites=True,
)
def sign_in() -> Response:
    """Check the key, and set the cookie."""
    parts = service()
    key: str = load_body(read_json(request), _SIGN_IN)["key"]
    if parts.sessions is None:
        raise CallerNotAllowed("There is nothing to sign in with: name a file with keys in API_KEYS_FILE.")
    # Keys are compared as they arrive in a header: UTF-8, read as Latin-1.
    sender = browser_of(parts)._replace(key=key.encode().decode("latin-1"), session=b"")
    with count_refused_keys(parts, sender):
        holder, digest = parts.keys.sign_in(sender)
    answer = answer_json({"name": holder.name, "roles": sorted(holder.roles)})
    secure, path = _scope_of_cookie()
    answer.set_cookie(
        SESSION_COOKIE,
        parts.sessions.sign(digest),
        max_age=parts.sessions.max_age,
        path=path,
        secure=secure,
        httponly=True,
        samesite="Strict",
    )
    return forbid_caching(answer)


@session.post("/sign-out")
@Operation(
    summary="Sign out.",
    description="The answer removes the cookie.",
    tag="pages",
    success=204,
    refusals=(413,),
    refuses_other_sites=True,
)
def sign_out() -> Response:
    """Remove the cookie."""
    answer = Response(status=204)
    secure, path = _scope_of_cookie()
    answer.delete_cookie(SESSION_COOKIE, path=path, secure=secure, httponly=True, samesite="Strict")
    return answer


def _scope_of_cookie() -> tuple[bool, str]:
    """Return whether browsers reach the service by TLS, and the path below which they do."""
    root = public_root(request.environ, request.url_root, TrustedProxies(service().settings.trusted_proxies))
    scheme, _, rest = root.partition("://")
    return scheme == "https", f"/{rest.partition('/')[2]}"
