"""Response headers that restrict what browsers and caches may do with our answers."""

from __future__ import annotations

from flask import Flask, Response

_HEADERS = {
    # Everything comes from this host. Swagger UI sets styles from scripts, and draws its icons from data URLs.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

# The blueprints that answer with HTML.
_BLUEPRINTS_WITH_PAGES = {"page", "flasgger"}


def protect_pages(app: Flask) -> None:
    """Send the security headers with every page; JSON routes do not run the hook at all."""
    for blueprint in app.blueprints.values():
        if blueprint.name in _BLUEPRINTS_WITH_PAGES:
            app.after_request_funcs.setdefault(blueprint.name, []).append(_add_headers)


def forbid_caching(response: Response) -> Response:
    """Forbid caches to store an answer: it is about people, or meant for one caller only."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_headers(response: Response) -> Response:
    """Add the security headers to a page."""
    response.headers.update(_HEADERS)
    return response
