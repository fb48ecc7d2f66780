"""``GET /overview``: the state of the service in a sentence, and the figures behind it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from flask import Blueprint, Response
from marshmallow import Schema, fields, validate

from app.api.metrics import metrics_now
from app.api.operation import Operation
from app.api.quality import read_quality_answer
from app.api.quality_report import ShareWithInterval
from app.api.service import Service, service
from app.api.state_in_words import ATTENTION, BAD, GOOD, Known, next_step, summarize
from app.errors import DriftUnknown, RecordsUnavailable
from app.metrics.directory import folder_of_workers
from app.recorder.status import read_report
from app.records.timestamps import format_timestamp
from app.web.codecs import answer_json

_WINDOW_DAYS = 7

overview = Blueprint("overview", __name__)


class LiveModelState(Schema):
    """The live model."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    trained_at = fields.AwareDateTime(required=True)
    threshold = fields.Float(required=True)
    training_outlier_share = fields.Float(required=True)


class LiveCounters(Schema):
    """Counts of all workers since the service was started; the differences of two answers are rates."""

    requests = fields.Float(required=True, metadata={"description": "Requests to routes that score rows."})
    errors = fields.Float(required=True, metadata={"description": "Those that failed because of the service."})
    rows = fields.Float(required=True)
    outliers = fields.Float(required=True)
    unfamiliar = fields.Float(required=True, metadata={"description": "Values unlike all those in training."})
    seconds = fields.Dict(
        keys=fields.String(),
        values=fields.Float(),
        required=True,
        metadata={"description": "Requests that took up to so many seconds, cumulative."},
    )


class HourOfAlarms(Schema):
    """The last hour, and what is usual."""

    rows = fields.Integer(required=True)
    alarms = fields.Integer(required=True)
    usual_alarms = fields.Float(
        required=True, allow_none=True, metadata={"description": "Mean per hour of a week; null in the first day."}
    )


class QualityState(Schema):
    """Precision and recall of a week, or why there are none."""

    precision = fields.Nested(ShareWithInterval, required=True)
    precision_reason = fields.String(required=True)
    recall = fields.Nested(ShareWithInterval, required=True)
    recall_reason = fields.String(required=True)


class DetectorState(Schema):
    """The state of one drift detector."""

    state = fields.String(required=True)
    feature = fields.String(required=True, metadata={"description": "Of the last event; may be empty."})
    last_event_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "Null while there is none."}
    )


class NextStep(Schema):
    """What to do next."""

    text = fields.String(required=True, metadata={"example": "See the newest alarms."})
    view = fields.String(required=True, metadata={"description": "The console's view to do it in, as in its address."})


class Overview(Schema):
    """The state of the service."""

    at = fields.AwareDateTime(required=True)
    state = fields.String(required=True, validate=validate.OneOf((GOOD, ATTENTION, BAD)))
    summary = fields.String(required=True, metadata={"example": "Working. 3 alarms in the last hour. No drift."})
    next_step = fields.Nested(
        NextStep, required=True, allow_none=True, metadata={"description": "Null if nothing needs to be done."}
    )
    model = fields.Nested(LiveModelState, required=True, allow_none=True)
    counters = fields.Nested(LiveCounters, required=True)
    hour = fields.Nested(
        HourOfAlarms, required=True, allow_none=True, metadata={"description": "Null without records."}
    )
    drift = fields.Dict(keys=fields.String(), values=fields.Nested(DetectorState), required=True, allow_none=True)
    quality = fields.Nested(QualityState, required=True, allow_none=True)


@overview.get("/overview")
@Operation(
    summary="The state of the service in a sentence, with the figures behind it.",
    description="Works without records and without a model; what is unknown is null.",
    tag="operation",
    answer=Overview,
)
def show_overview() -> Response:
    """Return the state."""
    parts, now = service(), time.time()
    hour, problem = _read_hour(parts, now)
    drift, quality, model = _read_drift(), _read_quality(), _describe_model(parts)
    training_share = None if model is None else model["training_outlier_share"]
    known = Known(_model_problem(parts), hour, problem, drift, quality, training_share)
    state, summary = summarize(known)
    return answer_json(
        {
            "at": format_timestamp(now),
            "state": state,
            "summary": summary,
            "next_step": next_step(known),
            "model": model,
            "counters": read_counters(),
            "hour": hour,
            "drift": drift,
            "quality": quality,
        }
    )


def read_counters() -> dict[str, Any]:
    """Return the counters of all workers."""
    families = {family.name: family.samples for family in metrics_now()}

    def total(family: str, sample: str, **labels: str) -> float:
        found = families.get(family, [])
        return sum(s.value for s in found if s.name == sample and labels.items() <= s.labels.items())

    buckets: dict[str, float] = {}
    for sample in families.get("model_prediction_duration_seconds", []):
        if sample.name.endswith("_bucket"):
            buckets[sample.labels["le"]] = buckets.get(sample.labels["le"], 0.0) + sample.value
    return {
        "requests": total("model_prediction_requests", "model_prediction_requests_total"),
        "errors": total("model_prediction_requests", "model_prediction_requests_total", status="error"),
        "rows": total("predicted_class", "predicted_class_total"),
        "outliers": total("predicted_class", "predicted_class_total", class_name="outlier"),
        "unfamiliar": total("unfamiliar_values", "unfamiliar_values_total"),
        "seconds": buckets,
    }


def _model_problem(parts: Service) -> str | None:
    """Return why no model is live; None if one is."""
    return None if parts.model.features else (parts.model.problem or "It is being loaded.")


def _describe_model(parts: Service) -> dict[str, Any] | None:
    """Return the live model."""
    if parts.model.features is None:
        return None
    bundle = parts.model.get()
    return {
        "name": bundle.name,
        "version": bundle.version,
        "trained_at": format_timestamp(bundle.trained_at.timestamp()),
        "threshold": bundle.forest.offset,
        "training_outlier_share": bundle.manifest["training"]["flagged_share"],
    }


def _read_hour(parts: Service, now: float) -> tuple[dict[str, Any] | None, str]:
    """Return the last hour, or why it is not known."""
    try:
        with parts.records.use() as engine:
            from app.records.timeline import read_recent_alarms

            with engine.connect() as connection:
                recent = read_recent_alarms(connection, now)
    except RecordsUnavailable as error:
        return None, str(error)
    return {"rows": recent.n_rows, "alarms": recent.n_outliers, "usual_alarms": recent.usual_per_hour}, ""


def _read_drift() -> dict[str, dict[str, str | None]] | None:
    """Return the state of each detector, with the feature and the time of its last event."""
    try:
        detectors = read_report(folder_of_workers())["detectors"]
    except DriftUnknown:
        return None
    return {
        name: {
            "state": detector["state"],
            "feature": (detector["last_event"] or {}).get("feature", ""),
            "last_event_at": (detector["last_event"] or {}).get("at"),
        }
        for name, detector in detectors.items()
    }


def _read_quality() -> dict[str, Any] | None:
    """Return precision and recall of the last week, or of as long as records are kept."""
    days = min(_WINDOW_DAYS, service().settings.record_retention_days)
    try:
        figures = msgspec.json.decode(read_quality_answer(f"{days}d"))["overall"]["figures"]
    except RecordsUnavailable:
        return None
    described: dict[str, Any] = {}
    for name in ("precision", "recall"):
        described[name] = {part: figures[name][part] for part in ("value", "low", "high")}
        described[f"{name}_reason"] = figures[name]["reason"]
    return described
