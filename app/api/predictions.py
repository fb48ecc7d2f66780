"""``POST /predictions``: label many rows, sent and answered as JSON, CSV or newline-delimited JSON."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flask import Blueprint, Request, Response, request
from marshmallow import Schema, fields, validate
from numpy.typing import NDArray

from app.api.explanation import (
    EXPLAIN,
    EXPLAIN_DESCRIPTION,
    ExplanationFields,
    check_number_of_explained_rows,
    list_fields,
)
from app.api.operation import NO_MODEL, Operation
from app.api.service import CountedPrediction, Service, name_record, service
from app.errors import NotAnAcceptableMediaType, NotARowsMediaType
from app.model.bundle import Bundle
from app.model.explained_rows import explain_rows, flatten, to_lists
from app.model.schema import Features
from app.model.scoring import ABOVE, NO_CONFIDENCE, REASONS
from app.web.accept import choose_media_type
from app.web.codecs import JSON_MEDIA_TYPE, answer_json, load_body, read_body, read_json
from app.web.fields import (
    SEGMENT_CHARACTERS,
    SEGMENT_DESCRIPTION,
    SEGMENT_EXPECTED,
    SEGMENT_PATTERN,
    FeatureVectors,
    Segment,
    StrictBoolean,
    check_number_of_rows,
    parse_segment,
)
from app.web.middleware import RequestIds, request_ids
from app.web.named_rows import place_named_rows
from app.web.query import QueryParameter, boolean_parameter
from app.web.row_formats import (
    CSV_MEDIA_TYPE,
    NDJSON_MEDIA_TYPE,
    read_csv,
    read_ndjson,
    to_array,
    write_csv,
    write_ndjson,
)

# The old and the new model, while one replaces the other.
_MODELS_AT_ONCE = 2

_MEDIA_TYPES = (JSON_MEDIA_TYPE, CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE)

# CSV and newline-delimited JSON have no place for options, so these are query parameters:
# /predictions?score=true&segment=DE
_SCORE = boolean_parameter("score", "Also return the anomaly scores, like `score` in a JSON body.")
_CONFIDENCE = boolean_parameter(
    "confidence", "Also return the confidences of the labels, like `confidence` in a JSON body."
)
_IGNORE_EXTRA = boolean_parameter(
    "ignore_extra", "Leave out columns of a CSV body that are no features; by default they are refused."
)
_EXPLAIN = boolean_parameter(EXPLAIN, f"{EXPLAIN_DESCRIPTION} Like `explain` in a JSON body.")
_SEGMENT = QueryParameter(
    "segment",
    f"{SEGMENT_DESCRIPTION} A segment in a JSON body takes precedence.",
    {"type": "string", "minLength": 1, "maxLength": SEGMENT_CHARACTERS, "pattern": SEGMENT_PATTERN},
    SEGMENT_EXPECTED,
    "",
    parse_segment,
)

PREDICTIONS_RULE = "/predictions"

predictions = Blueprint("predictions", __name__)


class PredictionsAnswer(Schema.from_dict(list_fields(ExplanationFields))):  # type: ignore[misc]
    """The labels of many rows and, if asked for, scores, confidences and explanations, in the order of the rows."""

    is_inlier = fields.List(
        fields.Integer(metadata={"enum": [1, -1]}),
        required=True,
        metadata={"description": "1 inlier, -1 outlier."},
    )
    anomaly_score = fields.List(
        fields.Float(metadata={"minimum": -1, "maximum": 0}),
        metadata={"description": "The lower, the more abnormal. Only when `score` was true."},
    )
    confidence = fields.List(
        fields.Float(allow_none=True, metadata={"minimum": 0, "maximum": 1}),
        metadata={
            "description": "Probability that a threshold from other training rows, with the same forest, gives the "
            "same label, for each row; null for a row with unfamiliar values. Only when `confidence` was true."
        },
    )
    unfamiliar = fields.List(
        fields.Dict(keys=fields.String(), values=fields.String(validate=validate.OneOf(REASONS)), allow_none=True),
        metadata={
            "description": "The unfamiliar values of each row, null if it has none; see `/prediction`. Only if any row "
            "has some.",
            "example": [{"mean": ABOVE}],
        },
    )


@dataclass(frozen=True)
class Batch:
    """Rows to score, shape ``(n_rows, n_features)``, and the options in the same body."""

    rows: NDArray[np.floating]
    score: bool = False
    confidence: bool = False
    explain: bool = False
    segment: str = ""


@lru_cache(maxsize=_MODELS_AT_ONCE)
def predictions_request_schema(features: Features, max_rows: int) -> Schema:
    """Return the schema of a request of at most ``max_rows`` rows to a model with these features."""
    description = "Rows of one value per column: " + ", ".join(features.names) + "."
    return Schema.from_dict(
        {
            "feature_vectors": FeatureVectors(features, max_rows, required=True, metadata={"description": description}),
            "score": StrictBoolean(load_default=False, metadata={"description": "Also return the anomaly scores."}),
            "confidence": StrictBoolean(
                load_default=False, metadata={"description": "Also return the confidences of the labels."}
            ),
            EXPLAIN: StrictBoolean(load_default=False, metadata={"description": EXPLAIN_DESCRIPTION}),
            "segment": Segment(),
        },
        name="PredictionsRequest",
    )()


def load_predictions_request(body: object, features: Features, max_rows: int) -> Batch:
    """Check a decoded body and return its rows and options.

    Parameters
    ----------
    body
        Any JSON value; the rows are in ``feature_vectors``, or by name in ``rows``.
    features
        The model's features.
    max_rows
        Maximum number of rows in one request.

    Raises
    ------
    BodyTooLarge
        If there are more rows; the message names the limit.
    InvalidPredictionRequest
        With one entry for each mistake, up to twenty in the rows.

    Examples
    --------
    >>> features = Features(("mean", "sd"), (0, 0), (1, 1))
    >>> load_predictions_request({"feature_vectors": [[0.5, 2], [1, 2]]}, features, 10).rows.shape
    (2, 2)
    """
    body = place_named_rows(body, features, max_rows)
    loaded = load_body(body, predictions_request_schema(features, max_rows))
    return Batch(loaded["feature_vectors"], loaded["score"], loaded["confidence"], loaded[EXPLAIN], loaded["segment"])


@predictions.post(PREDICTIONS_RULE)
@Operation(
    summary="Label many rows.",
    description="Like `/prediction`, for a list of rows; answers are in the order of the rows. Rows may also be "
    "sent as CSV, with the feature names as header in any order, or as newline-delimited JSON "
    '(`{"feature_vector": [...]}`, `{"features": {...}}` or a bare list per line); a blank line between rows is '
    "refused. The answer has the media type in `Accept`, else the media type of the request.",
    tag="predictions",
    request=predictions_request_schema,
    answer=PredictionsAnswer,
    other_media_types=(CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE),
    query=(_SCORE, _CONFIDENCE, _EXPLAIN, _SEGMENT, _IGNORE_EXTRA),
    refusals=(400, 406, 413, 415, 422, *NO_MODEL),
    body_limit="max_batch_body_bytes",
    names_model=True,
    names_record=True,
)
def predict_many() -> Response:
    """Label many rows."""
    with CountedPrediction() as counted:
        parts = service()
        bundle = counted.get_model()
        answer_type = _choose_answer_type(request)
        wants_score, wants_confidence = _SCORE.read(request.args), _CONFIDENCE.read(request.args)
        wants_explanation = _EXPLAIN.read(request.args)
        segment = _SEGMENT.read(request.args)
        ignores_extra = _IGNORE_EXTRA.read(request.args)
        batch = _read_batch(request, bundle.features, parts.settings.max_batch_rows, ignores_extra)
        batch = Batch(
            batch.rows,
            batch.score or wants_score,
            batch.confidence or wants_confidence,
            batch.explain or wants_explanation,
            batch.segment or segment,
        )
        answer = answer_batch(parts, request_ids(), bundle, batch)
        return name_record(_serialize(answer, answer_type), bundle)


def answer_batch(parts: Service, ids: RequestIds, bundle: Bundle, batch: Batch) -> dict[str, list[Any]]:
    """Score, publish and count rows, and return the fields of the answer, each a list with a value per row."""
    # Refused before the rows count, if this model cannot explain or there are too many.
    explainer = bundle.explainer if batch.explain else None
    if explainer is not None:
        check_number_of_explained_rows(len(batch.rows))
    scored = parts.score(ids, bundle, batch.rows, batch.segment)
    answer: dict[str, list[Any]] = {"is_inlier": scored.labels.tolist()}
    if batch.score:
        answer["anomaly_score"] = scored.scores.tolist()
    if batch.confidence:
        answer["confidence"] = scored.confidences.tolist()
    if explainer is not None:
        answer |= to_lists(explain_rows(explainer, scored.rows, scored.scores))
    if scored.unfamiliar:
        answer["unfamiliar"] = [scored.unfamiliar.get(place) for place in range(len(scored.rows))]
        if batch.confidence:
            notes = answer.get("notes") or [{} for _ in scored.rows]
            for place in scored.unfamiliar:
                answer["confidence"][place] = None
                notes[place]["confidence"] = NO_CONFIDENCE
            answer["notes"] = notes
    return answer


def _choose_answer_type(request: Request) -> str:
    """Return the media type that the caller prefers; the type of the request if it prefers none."""
    own = request.mimetype if request.mimetype in _MEDIA_TYPES else JSON_MEDIA_TYPE
    chosen = choose_media_type(request.headers.get("Accept"), [own, *(other for other in _MEDIA_TYPES if other != own)])
    if chosen is None:
        raise NotAnAcceptableMediaType(f"Accept one of {', '.join(_MEDIA_TYPES)}.")
    return chosen


def _read_batch(request: Request, features: Features, max_rows: int, ignore_extra: bool) -> Batch:
    """Read the rows in any of the media types."""
    if request.mimetype == JSON_MEDIA_TYPE:
        return load_predictions_request(read_json(request), features, max_rows)
    if request.mimetype not in _MEDIA_TYPES:
        raise NotARowsMediaType(f"Send the body as Content-Type: {', '.join(_MEDIA_TYPES)}.")
    body = read_body(request)
    rows: list[Any]
    if request.mimetype == CSV_MEDIA_TYPE:
        rows = read_csv(body, features, ignore_extra=ignore_extra)
    else:
        rows = read_ndjson(body, features)
    check_number_of_rows(len(rows), max_rows)
    return Batch(to_array(rows, features))


def _serialize(answer: dict[str, list[Any]], media_type: str) -> Response:
    """Return the answer in a media type."""
    if media_type == CSV_MEDIA_TYPE:
        return Response(write_csv(flatten(answer)), mimetype=media_type)
    if media_type == NDJSON_MEDIA_TYPE:
        return Response(write_ndjson(answer), mimetype=media_type)
    return answer_json(answer)
