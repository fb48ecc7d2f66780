"""The console's pages, and what they share: who looks, the menu, and the security headers.

A page holds no data of rows: it is a frame that its ES module fills from the JSON routes. Where a page and a route have
the same address, ``Accept`` decides: browsers ask for HTML first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Flask, Response, current_app, make_response, render_template, request

from app.api.access import browser_of
from app.api.operation import HTML_MEDIA_TYPE, Operation, operation_of, routes_of
from app.api.service import service
from app.console.try_row import describe_form
from app.errors import CallerNotAllowed, KeyWithoutRole, RefusedRequest, TooManyWrongKeys, UnknownKey
from app.records.timestamps import format_timestamp
from app.web.accept import choose_media_type
from app.web.codecs import JSON_MEDIA_TYPE
from app.web.headers import PAGE_HEADERS
from app.web.key_file import ADMIN, LABELLER, PREDICT, ROLES, VIEWER
from app.web.problems import answer_refusal
from app.web.session import SESSION_COOKIE

# The menu. Every page is one click away from every other.
_MENU = (
    ("", "Overview"),
    ("alarms", "Alarms"),
    ("review", "Review"),
    ("threshold", "Threshold"),
    ("models", "Models"),
    ("drift", "Drift"),
    ("quality", "Quality"),
    ("try", "Try a row"),
)

# The groups whose routes are linked from the page of links.
_LINKED_TAGS = ("model", "operation")

_FILES: dict[str, Any] = {"template_folder": "templates", "static_folder": "static", "static_url_path": "/console"}

console = Blueprint("console", __name__, **_FILES)

# What is left without the console.
links = Blueprint("links", __name__, **_FILES)


@dataclass(frozen=True)
class Viewer:
    """Who looks at a page.

    Parameters
    ----------
    name
        The name of the key with which the browser signed in; empty if it did not.
    roles
        What that key allows; everything on this host while no keys are configured.
    """

    name: str
    roles: frozenset[str]

    @property
    def can_label(self) -> bool:
        """Whether it may label rows."""
        return bool(self.roles & {LABELLER, ADMIN})

    @property
    def is_admin(self) -> bool:
        """Whether it may promote models and move thresholds."""
        return ADMIN in self.roles


def install_console(app: Flask) -> None:
    """Answer browsers with pages, also where a program would get JSON or is refused for its key."""
    # Only where there are pages: predictions have none, and are not slowed down.
    with_pages = {
        endpoint.partition(".")[0]
        for endpoint, view in app.view_functions.items()
        if (operation := operation_of(view)) and operation.page
    }
    for blueprint in with_pages:
        app.before_request_funcs.setdefault(blueprint, []).append(_show_page)
    for error in (UnknownKey, CallerNotAllowed, KeyWithoutRole, TooManyWrongKeys):
        app.register_error_handler(error, _ask_to_sign_in)


def _page_view(summary: str, role: str = "") -> Operation:
    """Return the declaration of a view that has no JSON of its own."""
    return Operation(
        summary=summary,
        description="A page of the console.",
        tag="pages",
        media_type=HTML_MEDIA_TYPE,
        role=role,
    )


@console.get("/")
@_page_view("The state of the service at a glance.")
def show_overview() -> Response:
    """Render the overview."""
    return render_page("overview")


@console.get("/review")
@_page_view("Rows to label, one at a time.", role=VIEWER)
def show_review() -> Response:
    """Render the review queue."""
    return render_page("review")


@console.get("/threshold")
@_page_view("What other thresholds would do.")
def show_threshold() -> Response:
    """Render the curves of thresholds."""
    return render_page("threshold")


@console.get("/try")
@_page_view("A form that sends a row and shows the answer.")
def show_form() -> Response:
    """Render the form; without a model it shows why there is none, and what to do."""
    form = describe_form()
    is_signed_in = bool(find_viewer().roles & {PREDICT, ADMIN})
    return render_page("try", **form | {"needs_key": form["needs_key"] and not is_signed_in})


@console.get("/sign-in")
@_page_view("Sign in with a key.")
def show_sign_in() -> Response:
    """Render the form for a key."""
    return render_page("sign_in", problem="")


@links.get("/")
@_page_view("Links to what a browser can open.")
def show_links() -> Response:
    """Render the page that is left without the console."""
    return render_page("links")


def render_page(view: str, status: int = 200, **values: Any) -> Response:
    """Return a page with the frame that all have.

    Parameters
    ----------
    view
        The name of its template, and of the menu's entry if it has one.
    status
        Of the answer.
    values
        Further variables of the template.
    """
    parts, viewer = service(), find_viewer()
    cookie = request.cookies.get(SESSION_COOKIE, "")
    bundle = parts.model.get() if parts.model.features else None
    frame = {
        # Relative, so that pages work below the prefix of a proxy.
        "base": "../" * (request.path.count("/") - 1) or "./",
        "view": view,
        "path": request.path.strip("/"),
        "menu": _MENU if parts.settings.console else (),
        "runbook": parts.settings.runbook_url,
        "viewer": viewer,
        "has_keys": parts.keys.has_files,
        "csrf": parts.sessions.csrf_token(cookie) if parts.sessions and viewer.name else "",
        "sign_in": "sign-in?" + urlencode({"next": request.full_path.strip("/?")}),
        "warnings": parts.warnings,
        "bundle": bundle,
        "model_problem": parts.model.problem,
        "trained_at_timestamp": format_timestamp(bundle.trained_at.timestamp()) if bundle else "",
        "records_are_on": parts.settings.record_predictions > 0,
        "retention_days": parts.settings.record_retention_days,
        "links": [
            route
            for route in routes_of(current_app)
            if route.method == "GET" and route.operation.tag in _LINKED_TAGS and "{" not in route.path
        ],
    }
    response = make_response(render_template(f"console/{view}.html", **(frame | values)), status)
    response.headers.update(PAGE_HEADERS)
    # Another model may be live at the next request, and another person in front of the screen.
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept")
    return response


def find_viewer() -> Viewer:
    """Return who sent the current request."""
    parts = service()
    sender = browser_of(parts)
    if not parts.keys.has_files:
        return Viewer("", frozenset(ROLES) if parts.keys.is_here(sender) else frozenset())
    holder = parts.keys.find_holder(sender)
    return Viewer(holder.name, holder.roles) if holder else Viewer("", frozenset())


def _wants_page() -> bool:
    """Return whether the sender of the current request would rather have HTML than JSON."""
    return choose_media_type(request.headers.get("Accept"), (JSON_MEDIA_TYPE, HTML_MEDIA_TYPE)) == HTML_MEDIA_TYPE


def _show_page() -> Response | None:
    """Return the page of a JSON route if a browser asks for it; None lets the route answer."""
    operation = operation_of(current_app.view_functions.get(request.endpoint or ""))
    if operation is None or not operation.page or request.method not in ("GET", "HEAD") or not _wants_page():
        return None
    return render_page(operation.page)


def _ask_to_sign_in(error: RefusedRequest) -> Response:
    """Return the page to sign in on instead of a refusal, to people who open a page."""
    operation = operation_of(current_app.view_functions.get(request.endpoint or ""))
    is_page = operation is not None and (operation.page or operation.media_type == HTML_MEDIA_TYPE)
    if request.method != "GET" or not is_page or not _wants_page():
        return answer_refusal(error)
    answer = render_page("sign_in", error.status, problem="" if isinstance(error, UnknownKey) else str(error))
    answer.headers.extend(error.headers)
    return answer
