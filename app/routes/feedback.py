"""``POST /feedback``: what people know of rows that were answered comes back as labels."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException

from app.errors import (
    CallerNotAllowed,
    KeysUnavailable,
    RecordsUnavailable,
    RefusedRequest,
    UnknownKey,
    UnknownPrediction,
)
from app.feedback_metrics import MALFORMED, UNAUTHORIZED, UNAVAILABLE, UNKNOWN, FeedbackMetrics
from app.metrics_folder import folder_of_workers
from app.routes.service_parts import service
from app.schemas.feedback import RESULTS, load_feedback
from app.web.json_bodies import answer_json, read_json

if TYPE_CHECKING:
    from app.records.feedback import Outcome
    from app.records.labels import GivenLabel

# Kept for good, but perhaps not settled: that is what this status means.
_ACCEPTED = 202

feedback = Blueprint("feedback", __name__)


@feedback.post("/feedback")
def take_feedback() -> Response:
    """Keep labels, and say what became of each."""
    parts = service()
    metrics = parts.metrics.feedback
    with _counting_refusals(metrics):
        parts.keys.admit(request.environ)
        request.max_content_length = parts.settings.max_batch_body_bytes
        loaded = load_feedback(read_json(request))
        labels, outcomes = _take(loaded)
    counts = Counter(outcome.result for outcome in outcomes)
    for label, outcome in zip(labels, outcomes, strict=True):
        # The recorder counts what it settles itself.
        if outcome.result == "taken" and outcome.found is not None:
            age_seconds = label.given_at - outcome.found.answered_at
            metrics.record_label(outcome.found.is_inlier, label.is_inlier, age_seconds)
    metrics.record_refused(UNKNOWN, counts["unknown"])
    if counts["unknown"] == len(labels):
        days = parts.settings.record_retention_days
        raise UnknownPrediction(
            f"No answer is recorded under any of these ids and rows: records are kept for {days} days, and not every "
            "answer need be recorded."
        )
    results = [
        {"request_id": label.request_id, "row": label.row, "result": outcome.result}
        for label, outcome in zip(labels, outcomes, strict=True)
    ]
    return answer_json({name: counts[name] for name in RESULTS} | {"labels": results}, _ACCEPTED)


def _take(loaded: list[dict[str, object]]) -> tuple[list[GivenLabel], list[Outcome]]:
    """Keep labels, and wait a little for the records of those that are early."""
    from app.records.feedback import take_labels, wait_for_records
    from app.records.labels import GivenLabel

    records, now = service().records, time.time()
    with records.use() as engine:
        labels = [GivenLabel(given_at=now, **label) for label in loaded]  # type: ignore[arg-type]
        taken = take_labels(engine, labels)
    with records.patience() as may_wait:
        expects_recorder = folder_of_workers() is not None
        return labels, wait_for_records(
            records.use, labels, taken, may_wait=may_wait, expects_recorder=expects_recorder
        )


@contextmanager
def _counting_refusals(metrics: FeedbackMetrics) -> Iterator[None]:
    """Count a request that is refused as a whole."""
    try:
        yield
    except (UnknownKey, CallerNotAllowed):
        metrics.record_refused(UNAUTHORIZED)
        raise
    except (KeysUnavailable, RecordsUnavailable):
        metrics.record_refused(UNAVAILABLE)
        raise
    except (RefusedRequest, HTTPException):
        metrics.record_refused(MALFORMED)
        raise
