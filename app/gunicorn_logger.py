"""Gunicorn's logger without an access log, whose place the service's own request log takes.

Given a logging configuration, Gunicorn lays out an access line for every request, whoever listens: that took longer
than scoring the row.
"""

from __future__ import annotations

from typing import Any

from gunicorn.glogging import Logger


class ErrorsOnlyLogger(Logger):
    """Logs what Gunicorn has to say, and no requests."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Say nothing of a request."""
