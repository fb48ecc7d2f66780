"""One log line a request: id, route, status and milliseconds."""

from __future__ import annotations

import logging
import time

from flask import Flask, Response, g, request

from app.web.request_id import request_id

log = logging.getLogger("isowatch.request")


def register_request_log(app: Flask) -> None:
    """Log each answered request at level info; the path itself is not logged, it may hold anything."""

    @app.before_request
    def note_start() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def write_line(response: Response) -> Response:
        if log.isEnabledFor(logging.INFO):
            line = {
                "request_id": request_id(),
                "method": request.method,
                "route": request.url_rule.rule if request.url_rule else "unmatched",
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - g.begun) * 1000, 3),
            }
            log.info("%(method)s %(route)s %(status)s %(milliseconds)s ms", line, extra=line)
        return response
