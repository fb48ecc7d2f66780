"""``GET /quality``: how right the answers were, as far as labels tell, from any worker."""

from __future__ import annotations

import re
import time

import msgspec
from flask import Blueprint, Request, Response, current_app, request
from flask.blueprints import BlueprintSetupState

from app.errors import InvalidQuery
from app.routes.quality_answer import lay_out_quality
from app.routes.recent_answers import RecentAnswers
from app.routes.service_parts import service
from app.schemas.query import refuse_unknown
from app.web.json_bodies import JSON_MEDIA_TYPE

quality = Blueprint("quality", __name__)

_DEFAULT_WINDOW = "7d"

_SECONDS_OF_UNIT = {"h": 3600, "d": 86400}
# No number of more digits is a window, and Python refuses to read very long ones.
_WINDOW = re.compile(r"([1-9]\d{0,6})([hd])", re.ASCII)

_ANSWERS = "isowatch_quality_answers"


@quality.record
def _prepare(state: BlueprintSetupState) -> None:
    """Give each service answers of its own."""
    state.app.extensions[_ANSWERS] = RecentAnswers()


@quality.get("/quality")
def tell_quality() -> Response:
    """Give the figures of a window that ends now."""
    refuse_unknown(request.args, ["window"])
    window, seconds = _read_window(request, service().settings.record_retention_days)
    answers: RecentAnswers = current_app.extensions[_ANSWERS]
    return Response(answers.get(window, lambda: _estimate(window, seconds)), mimetype=JSON_MEDIA_TYPE)


def _estimate(asked: str, seconds: float) -> bytes:
    """Read the records, and estimate the figures."""
    now = time.time()
    with service().records.use() as engine:
        # Only now: a worker that is never asked for records need not load SQLAlchemy.
        from app.records.quality_reading import read_quality
        from app.records.window import Window

        reading = read_quality(engine, Window.around(now - seconds, now))
    return msgspec.json.encode(lay_out_quality(reading, asked, now))


def _read_window(asked: Request, retention_days: int) -> tuple[str, float]:
    """Read how far to look back: as it is written, and in seconds."""
    given = asked.args.getlist("window") or [_DEFAULT_WINDOW]
    found = _WINDOW.fullmatch(given[0]) if len(given) == 1 else None
    seconds = int(found[1]) * _SECONDS_OF_UNIT[found[2]] if found else 0
    if not 0 < seconds <= retention_days * _SECONDS_OF_UNIT["d"]:
        message = (
            f"expected hours or days such as 24h or 7d, up to the {retention_days}d for which records are kept, "
            f"got {' and '.join(given)}"
        )
        raise InvalidQuery(f"window: {message}", [{"field": "window", "message": message}])
    return given[0], seconds
