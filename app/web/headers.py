"""Response headers that restrict what browsers and caches may do with our answers."""

from __future__ import annotations

from flask import Flask, Response

# Everything comes from this host: files only, neither scripts nor styles in the page.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'self'; "
    "form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

# Swagger UI sets styles from scripts, and draws its icons from data URLs.
_DOCS_HEADERS = PAGE_HEADERS | {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'"
}


def protect_docs(app: Flask) -> None:
    """Send the security headers with the page of Swagger UI; the console's pages have stricter ones."""
    app.after_request_funcs.setdefault("flasgger", []).append(_add_headers)


def forbid_caching(response: Response) -> Response:
    """Forbid caches to store an answer: it is about people, or meant for one caller only."""
    response.headers["Cache-Control"] = "no-store"
    return response


def _add_headers(response: Response) -> Response:
    """Add the security headers to Swagger UI."""
    response.headers.update(_DOCS_HEADERS)
    return response
