"""How a request's route is called in metrics and log lines."""

from __future__ import annotations

from wsgiref.types import WSGIEnvironment

# One name for every path that no route knows: a scanner could otherwise make as many series as it likes.
UNMATCHED = "unmatched"


def route_of(environ: WSGIEnvironment) -> str:
    """Name the route that Flask found for a request, never the path itself: it may hold anything."""
    request = environ.get("werkzeug.request")
    rule = getattr(request, "url_rule", None)
    return rule.rule if rule else UNMATCHED
