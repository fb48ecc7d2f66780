"""``POST /predictions``: many rows in, labels and scores out, as JSON, CSV or newline-delimited JSON.

What ``POST /predictions`` takes and gives: many rows at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from flask import Blueprint, Request, Response, request
from marshmallow import Schema, fields
from numpy.typing import NDArray

from app.api.scoring import CountedPrediction, name_prediction
from app.api.service import service
from app.errors import NotAnAcceptableMediaType, NotARowsMediaType
from app.model.schema import Features
from app.web.codecs import JSON_MEDIA_TYPE, answer_json, read_json
from app.web.fields import FeatureVectors, Segment, StrictBoolean, check_number_of_rows, read_segment
from app.web.row_formats import (
    CSV_MEDIA_TYPE,
    NDJSON_MEDIA_TYPE,
    read_csv,
    read_ndjson,
    to_array,
    write_csv,
    write_ndjson,
)
from app.web.validation import load_body, refuse

# The old and the new model, while one replaces the other.
_MODELS_AT_ONCE = 2


class PredictionsAnswer(Schema):
    """The labels of many rows and, if asked for, their scores and the labels' confidences, in the order of the rows."""

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
        fields.Float(metadata={"minimum": 0, "maximum": 1}),
        metadata={"description": "How sure each label is. Only when `confidence` was true."},
    )


@dataclass(frozen=True)
class Batch:
    """Rows to score, shape ``(n_rows, n_features)``, whether scores and confidences are asked for, and who asks."""

    rows: NDArray[np.float32]
    score: bool
    confidence: bool
    segment: str


@lru_cache(maxsize=_MODELS_AT_ONCE)
def predictions_request_schema(features: Features, max_rows: int) -> Schema:
    """Build the schema of a request, of at most ``max_rows``, to a model whose rows consist of ``features``."""
    described = "Rows of one number per feature: " + ", ".join(features.names) + "."
    return Schema.from_dict(
        {
            "feature_vectors": FeatureVectors(features, max_rows, required=True, metadata={"description": described}),
            "score": StrictBoolean(load_default=False, metadata={"description": "Also give the anomaly scores."}),
            "confidence": StrictBoolean(
                load_default=False, metadata={"description": "Also give the confidences of the labels."}
            ),
            "segment": Segment(),
        },
        name="PredictionsRequest",
    )()


def load_predictions_request(body: object, features: Features, max_rows: int) -> Batch:
    """Check a decoded body.

    Parameters
    ----------
    body
        Any JSON value.
    features
        What a row of the model consists of.
    max_rows
        Most rows that are taken at once.

    Raises
    ------
    BodyTooLarge
        If there are more rows; the message says how many are taken.
    InvalidPredictionRequest
        With one entry for everything that is wrong, up to twenty of the rows.

    Examples
    --------
    >>> features = Features(("mean", "sd"), (0, 0), (1, 1))
    >>> load_predictions_request({"feature_vectors": [[0.5, 2], [1, 2]]}, features, 10).rows.shape
    (2, 2)
    """
    loaded = load_body(body, predictions_request_schema(features, max_rows))
    return Batch(loaded["feature_vectors"], loaded["score"], loaded["confidence"], loaded["segment"])


_MEDIA_TYPES = (JSON_MEDIA_TYPE, CSV_MEDIA_TYPE, NDJSON_MEDIA_TYPE)

# Texts of rows have no place for a wish, so it stands in the address: /predictions?score=true&segment=DE
_BOOLEANS = {"true": True, "false": False}

predictions = Blueprint("predictions", __name__)


@predictions.post("/predictions")
def predict_many() -> Response:
    """Score many rows in one go."""
    with CountedPrediction() as counted:
        settings = service().settings
        request.max_content_length = settings.max_batch_body_bytes
        bundle = counted.take_model()
        answer_type = _choose_answer_type(request)
        wants_score, wants_confidence = _read_wish(request, "score"), _read_wish(request, "confidence")
        segment = read_segment(request.args.getlist("segment"))
        batch = _read_batch(request, bundle.features, settings.max_batch_rows)
        scored = counted.score(bundle, batch.rows, batch.segment or segment)
        answer: dict[str, list[Any]] = {"is_inlier": scored.labels.tolist()}
        if batch.score or wants_score:
            answer["anomaly_score"] = scored.scores.tolist()
        if batch.confidence or wants_confidence:
            answer["confidence"] = scored.confidences.tolist()
        return name_prediction(_write(answer, answer_type), bundle)


def _choose_answer_type(asked: Request) -> str:
    """Answer in the form that the caller accepts; in the form of the request if it accepts several alike."""
    own = asked.mimetype if asked.mimetype in _MEDIA_TYPES else JSON_MEDIA_TYPE
    if "Accept" not in asked.headers:
        return own
    # The first of equals wins.
    chosen = asked.accept_mimetypes.best_match([own, *(other for other in _MEDIA_TYPES if other != own)])
    if chosen is None:
        raise NotAnAcceptableMediaType(f"Accept one of {', '.join(_MEDIA_TYPES)}.")
    return chosen


def _read_batch(asked: Request, features: Features, max_rows: int) -> Batch:
    """Read the rows, in whatever form they come."""
    if asked.mimetype == JSON_MEDIA_TYPE:
        return load_predictions_request(read_json(asked), features, max_rows)
    if asked.mimetype not in _MEDIA_TYPES:
        raise NotARowsMediaType(f"Send the body as Content-Type: {', '.join(_MEDIA_TYPES)}.")
    body = asked.get_data(cache=False)
    rows: list[Any] = read_csv(body, features) if asked.mimetype == CSV_MEDIA_TYPE else read_ndjson(body)
    check_number_of_rows(len(rows), max_rows)
    return Batch(to_array(rows, features), score=False, confidence=False, segment="")


def _read_wish(asked: Request, name: str) -> bool:
    """Tell whether the address asks for scores, or for confidences."""
    given = asked.args.getlist(name) or ["false"]
    if len(given) > 1 or given[0] not in _BOOLEANS:
        raise refuse({name: [f"expected true or false, got {' and '.join(given)}"]})
    return _BOOLEANS[given[0]]


def _write(answer: dict[str, list[Any]], media_type: str) -> Response:
    """Lay the answer out."""
    if media_type == CSV_MEDIA_TYPE:
        return Response(write_csv(answer), mimetype=media_type)
    if media_type == NDJSON_MEDIA_TYPE:
        return Response(write_ndjson(answer), mimetype=media_type)
    return answer_json(answer)
