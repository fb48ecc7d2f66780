"""What every route takes and gives, as data: the OpenAPI document is made from this table.

A new route is one more entry here; a test compares the table with the routes of the service.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.web.fields import SEGMENT_CHARACTERS, SEGMENT_MEANING, SEGMENT_PATTERN

JSON, TEXT, HTML = "application/json", "text/plain", "text/html"
CSV, NDJSON = "text/csv", "application/x-ndjson"

_NO_MODEL = (503,)


@dataclass(frozen=True)
class QueryParameter:
    """Something that the address may say behind its path: its name, what it means, and its JSON Schema."""

    name: str
    meaning: str
    schema: dict[str, Any]


def _wish(name: str, meaning: str) -> QueryParameter:
    """Describe something that the address may ask for with ``true``."""
    return QueryParameter(name, meaning, {"type": "boolean", "default": False})


@dataclass(frozen=True)
class Operation:
    """One route and method.

    Parameters
    ----------
    path, method
        The route as the service knows it, and the method in lower case.
    summary, description
        One line, and what else a caller wants to know.
    tag
        The group in which the page shows it.
    request
        Name of the body's schema, if it takes one.
    answer
        Name of the answer's schema; empty for text that no schema describes.
    media_type
        Of the answer.
    texts
        Other forms in which body and answer may come, which no schema describes.
    query
        What the address may say behind its path.
    success
        The status of an answer.
    refusals
        Statuses that come with a reason, beside 500, which always may.
    names_model
        Whether the answer says in a header which version gave it.
    names_record
        Whether the answer says in a header under which id it is recorded.
    needs_key
        Whether a header must hold one of the keys for feedback, where there are any.
    takes_tensors
        Whether body and answer may also be JSON with the bytes of tensors after it.
    """

    path: str
    method: str
    summary: str
    description: str
    tag: str
    request: str = ""
    answer: str = ""
    media_type: str = JSON
    texts: tuple[str, ...] = ()
    query: tuple[QueryParameter, ...] = ()
    success: int = 200
    refusals: tuple[int, ...] = ()
    names_model: bool = False
    names_record: bool = False
    needs_key: bool = False
    takes_tensors: bool = False


OPERATIONS = (
    Operation(
        path="/prediction",
        method="post",
        summary="Label one row.",
        description="`is_inlier` is 1 for an inlier and -1 for an outlier, as scikit-learn's `predict` gives it. "
        "`anomaly_score` is `score_samples`, in [-1, 0]: the lower, the more abnormal.",
        tag="predictions",
        request="PredictionRequest",
        answer="PredictionAnswer",
        refusals=(400, 413, 415, 422, *_NO_MODEL),
        names_model=True,
        names_record=True,
    ),
    Operation(
        path="/predictions",
        method="post",
        summary="Label many rows.",
        description="As `/prediction`, for a list of rows; the answers come in the order of the rows. Rows may also be "
        "sent as CSV, with the feature names as header in any order, or as newline-delimited JSON "
        '(`{"feature_vector": [...]}` or a bare list a line); the answer comes in the form that `Accept` asks for, '
        "else in the form of the request.",
        tag="predictions",
        request="PredictionsRequest",
        answer="PredictionsAnswer",
        texts=(CSV, NDJSON),
        query=(
            _wish("score", "Also give the anomaly scores: the same as `score` in a JSON body."),
            _wish("confidence", "Also give the confidences of the labels: the same as `confidence` in a JSON body."),
            QueryParameter(
                "segment",
                f"{SEGMENT_MEANING} A JSON body that names one comes first.",
                {"type": "string", "minLength": 1, "maxLength": SEGMENT_CHARACTERS, "pattern": SEGMENT_PATTERN},
            ),
        ),
        refusals=(400, 406, 413, 415, 422, *_NO_MODEL),
        names_model=True,
        names_record=True,
    ),
    Operation(
        path="/model_information",
        method="get",
        summary="How the live model was trained, and what it takes.",
        description="scikit-learn's `get_params()` at the top level, and under `model` what came of them.",
        tag="model",
        answer="ModelInformation",
        refusals=_NO_MODEL,
        names_model=True,
    ),
    Operation(
        path="/drift",
        method="get",
        summary="Whether the rows still look like those of training.",
        description="Where each drift detector stands. They look at a sample of all workers' rows; an alarm becomes an "
        "event when the windows after it confirm it.",
        tag="model",
        answer="DriftReport",
        refusals=(503,),
    ),
    Operation(
        path="/quality",
        method="get",
        summary="How right the answers were, as far as labels tell.",
        description="Precision, recall and what follows from them, with 95 % intervals: of all answers of a while, and "
        "by model version, segment and day.",
        tag="model",
        answer="QualityReport",
        query=(
            QueryParameter(
                "window",
                "How far to look back: hours or days, up to the days for which records are kept.",
                {"type": "string", "pattern": "^[1-9][0-9]*[hd]$", "default": "7d", "example": "24h"},
            ),
        ),
        refusals=(422, 503),
    ),
    Operation(
        path="/healthz",
        method="get",
        summary="The process lives.",
        description="For an orchestrator that restarts what does not answer.",
        tag="operation",
        answer="Health",
    ),
    Operation(
        path="/readyz",
        method="get",
        summary="A verified model is loaded.",
        description="503 with the reason, and what to do, if not.",
        tag="operation",
        answer="Health",
        refusals=_NO_MODEL,
        names_model=True,
    ),
    Operation(
        path="/metrics",
        method="get",
        summary="The numbers of all workers together.",
        description="In Prometheus's text format, or OpenMetrics if the client accepts it.",
        tag="operation",
        media_type=TEXT,
    ),
    Operation(
        path="/",
        method="get",
        summary="A page for people.",
        description="What runs here, where to go, and a form that sends a row and shows the answer.",
        tag="pages",
        media_type=HTML,
    ),
    Operation(
        path="/docs",
        method="get",
        summary="This document, as a page to try things out.",
        description="Swagger UI; nothing comes from another host.",
        tag="pages",
        media_type=HTML,
    ),
    Operation(
        path="/openapi.json",
        method="get",
        summary="This document.",
        description="OpenAPI 3.1, with the rows of the live model.",
        tag="pages",
    ),
)
