"""``GET /quality``: precision, recall and related figures of recorded answers, estimated from their labels."""

from __future__ import annotations

import re
import time

import msgspec
from flask import Blueprint, Response, current_app, request
from flask.blueprints import BlueprintSetupState

from app.api.answer_cache import AnswerCache, AnswerFiles
from app.api.operation import NO_RECORDS, Operation
from app.api.quality_report import QualityReport, serialize_quality
from app.api.service import service, service_of
from app.settings import Settings
from app.web.codecs import JSON_MEDIA_TYPE
from app.web.query import QueryParameter, refuse_unknown

_DEFAULT_DAYS = 7

_SECONDS_OF_UNIT = {"h": 3600, "d": 86400}

# A window of more digits is too long anyway, and Python refuses to parse very long numbers.
_WINDOW_PATTERN = re.compile(r"([1-9]\d{0,6})([hd])", re.ASCII)

_CACHE = "isowatch_quality_answers"

quality = Blueprint("quality", __name__)


@quality.record
def _add_cache(state: BlueprintSetupState) -> None:
    """Add a cache to each service."""
    files = AnswerFiles(service_of(state.app).settings, "quality")
    state.app.extensions[_CACHE] = AnswerCache(files=files)


def window_parameter(retention_days: int, default_days: int = _DEFAULT_DAYS) -> QueryParameter[str]:
    """Declare the window, which is at most the time for which records are kept."""

    def parse(text: str) -> str | None:
        is_valid = _WINDOW_PATTERN.fullmatch(text) and window_seconds(text) <= window_seconds(f"{retention_days}d")
        return text if is_valid else None

    return QueryParameter(
        name="window",
        description="How far to look back, in hours or days, up to the retention time of records.",
        schema={"type": "string", "pattern": "^[1-9][0-9]*[hd]$", "default": f"{default_days}d", "example": "24h"},
        expected=f"hours or days such as 24h or 7d, up to the {retention_days}d for which records are kept",
        default=f"{min(default_days, retention_days)}d",
        parse=parse,
    )


@quality.get("/quality")
@Operation(
    summary="Quality of the answers, estimated from labels.",
    description="Precision, recall and related figures with 95 % intervals, of all answers in a window and "
    "by model version, segment and day.",
    tag="model",
    answer=QualityReport,
    # The document is the same for any retention time.
    query=(window_parameter(Settings().record_retention_days),),
    refusals=(422, *NO_RECORDS),
    page="quality",
)
def show_quality() -> Response:
    """Return the figures of a window that ends now."""
    parameter = window_parameter(service().settings.record_retention_days)
    refuse_unknown(request.args, [parameter])
    window = parameter.read(request.args)
    return Response(read_quality_answer(window), mimetype=JSON_MEDIA_TYPE)


def read_quality_answer(window: str) -> bytes:
    """Return the figures of a window that ends now as JSON; they are cached for some seconds."""
    cache: AnswerCache = current_app.extensions[_CACHE]
    return cache.get(window, lambda: _estimate(window))


def _estimate(requested: str) -> bytes:
    """Read the records, estimate the figures, and return them as JSON."""
    now, settings = time.time(), service().settings
    with service().records.use() as engine:
        # Imported here, so that a worker loads SQLAlchemy only when records are requested.
        from app.records.quality_query import read_quality
        from app.records.window import Window

        window = Window.around(now - window_seconds(requested), now)
        reading = read_quality(engine, window, now, maturity_hours=settings.label_maturity_hours)
    return msgspec.json.encode(serialize_quality(reading, requested, now, settings.label_noise))


def window_seconds(window: str) -> int:
    """Return the length of a window."""
    return int(window[:-1]) * _SECONDS_OF_UNIT[window[-1]]
