"""Headers that keep browsers and caches from doing with our answers what they were not made for."""

from __future__ import annotations

from flask import Flask, Response

_HEADERS = {
    # Everything comes from this host. Swagger UI sets styles from scripts, and draws its icons as data addresses.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


# The blueprints that answer with HTML.
_WITH_PAGES = {"page", "flasgger"}


def protect_pages(app: Flask) -> None:
    """Send the headers with every page; the routes that answer with JSON do not even ask whether they do."""
    for blueprint in app.blueprints.values():
        if blueprint.name in _WITH_PAGES:
            app.after_request_funcs.setdefault(blueprint.name, []).append(_protect)


def keep_from_caches(response: Response) -> Response:
    """Say that nobody on the way may keep an answer: it tells of people, or is for one caller alone."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _protect(response: Response) -> Response:
    """Add the headers to a page."""
    response.headers.update(_HEADERS)
    return response
