"""How a request's route is called in metrics and log lines."""

from __future__ import annotations

from wsgiref.types import WSGIEnvironment

# One name for every path that no route knows: a scanner could otherwise make as many series as it likes.
UNMATCHED = "unmatched"

_EXPRESS_KEY = "isowatch.express_route"


def answer_express(environ: WSGIEnvironment, rule: str) -> None:
    """Note that a request is answered below Flask, as ``rule``."""
    environ[_EXPRESS_KEY] = rule


def was_express(environ: WSGIEnvironment) -> bool:
    """Tell whether a request was answered below Flask."""
    return _EXPRESS_KEY in environ


def route_of(environ: WSGIEnvironment) -> str:
    """Name the route that was found for a request, never the path itself: it may hold anything."""
    if _EXPRESS_KEY in environ:
        express: str = environ[_EXPRESS_KEY]
        return express
    request = environ.get("werkzeug.request")
    rule = getattr(request, "url_rule", None)
    return rule.rule if rule else UNMATCHED
