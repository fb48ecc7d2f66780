"""Headers that keep a browser from doing with our pages what they were not made for."""

from __future__ import annotations

from flask import Flask, Response

_HEADERS = {
    # Everything comes from this host. Swagger UI sets styles from scripts, and draws its icons as data addresses.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def register_security_headers(app: Flask) -> None:
    """Send the headers with every page; JSON answers do not need them."""

    @app.after_request
    def protect(response: Response) -> Response:
        if response.mimetype == "text/html":
            response.headers.update(_HEADERS)
        return response
