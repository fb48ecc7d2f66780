"""``POST /prediction``: label one row and, on request, return its score, its confidence and its explanation.

Flask's routing, contexts and hooks take more time than the prediction itself, so usual requests are answered in the
worker's event loop (``app.api.fast_path``), with the same function as the view.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from flask import Blueprint, Response, request
from marshmallow import Schema, fields, validate

from app.api.explanation import EXPLAIN, EXPLAIN_DESCRIPTION, ExplanationFields
from app.api.operation import NO_MODEL, Operation
from app.api.service import CountedPrediction, Service, name_record, service
from app.model.bundle import Bundle
from app.model.schema import Features
from app.model.scoring import ABOVE, NO_CONFIDENCE, REASONS
from app.web.codecs import JSON_MEDIA_TYPE, load_body, read_json
from app.web.fields import FeatureVector, Segment, StrictBoolean, find_problem_of_number, parse_segment, read_values
from app.web.middleware import RequestIds, request_ids
from app.web.named_rows import NAMED_ROW, place_named_row

PREDICTION_RULE = "/prediction"

# The old and the new model, while one replaces the other.
_MODELS_AT_ONCE = 2

# The fields of a request, and the values of those that are absent.
_DEFAULTS: dict[str, Any] = {
    "feature_vector": None,
    "score": False,
    "confidence": False,
    EXPLAIN: False,
    "segment": "",
}

prediction = Blueprint("prediction", __name__)


class PredictionAnswer(ExplanationFields):
    """The label of one row and, if asked for, its score, the confidence of the label and why."""

    is_inlier = fields.Integer(
        required=True, metadata={"description": "1 inlier, -1 outlier.", "enum": [1, -1], "example": 1}
    )
    anomaly_score = fields.Float(
        metadata={
            "description": "The lower, the more abnormal. Only when `score` was true.",
            "minimum": -1,
            "maximum": 0,
            "example": -0.43,
        }
    )
    confidence = fields.Float(
        allow_none=True,
        metadata={
            "description": "Probability that a threshold from other training rows, with the same forest, gives "
            "the same label; not that the label is right. Only when `confidence` was true; null for a row with "
            "unfamiliar values.",
            "minimum": 0,
            "maximum": 1,
            "example": 0.98,
        },
    )

    unfamiliar = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(REASONS)),
        metadata={
            "description": "By column: why its value is unlike those in training. Only if there is such a value.",
            "example": {"mean": ABOVE},
        },
    )


@lru_cache(maxsize=_MODELS_AT_ONCE)
def prediction_request_schema(features: Features) -> Schema:
    """Return the schema of a request to a model with these features."""
    description = "One value per column: " + ", ".join(features.names) + "."
    return Schema.from_dict(
        {
            "feature_vector": FeatureVector(features, required=True, metadata={"description": description}),
            "score": StrictBoolean(load_default=False, metadata={"description": "Also return the anomaly score."}),
            "confidence": StrictBoolean(
                load_default=False, metadata={"description": "Also return the confidence of the label."}
            ),
            EXPLAIN: StrictBoolean(load_default=False, metadata={"description": EXPLAIN_DESCRIPTION}),
            "segment": Segment(),
        },
        name="PredictionRequest",
    )()


def load_prediction_request(body: object, features: Features) -> dict[str, Any]:
    """Check a decoded body and return its values.

    Parameters
    ----------
    body
        Any JSON value; the row is in ``feature_vector``, or by name in ``features``.
    features
        The model's features.

    Returns
    -------
    ``feature_vector``, one number per feature, all finite and within float32; ``score``, ``confidence`` and
    ``explain``, booleans; ``segment``, empty if there is none.

    Raises
    ------
    InvalidPredictionRequest
        With one entry for each mistake.

    Examples
    --------
    >>> load_prediction_request({"feature_vector": [0.5, 2]}, Features(("mean", "sd"), (0, 0), (1, 1)))
    {'feature_vector': [0.5, 2], 'score': False, 'confidence': False, 'explain': False, 'segment': ''}
    >>> load_prediction_request({"feature_vector": [0.5, "2"]}, Features(("mean", "sd"), (0, 0), (1, 1)))
    Traceback (most recent call last):
    app.errors.InvalidPredictionRequest: feature_vector[1]: sd: expected a number, got a string
    """
    if type(body) is dict and NAMED_ROW in body:
        body = place_named_row(body, features)
    return _load_usual(body, features) or load_body(body, prediction_request_schema(features))


def _load_usual(body: object, features: Features) -> dict[str, Any] | None:
    """Return the values of a valid body in its usual form, or None; the schema takes ten times as long."""
    if type(body) is not dict or not body.keys() <= _DEFAULTS.keys():
        return None
    row = body.get("feature_vector")
    if type(row) is not list or len(row) != len(features.names):
        return None
    if features.levels or any(map(find_problem_of_number, row)):
        row, problems = read_values(row, features)
        if problems:
            return None
        body = body | {"feature_vector": row}
    if "segment" in body and (type(body["segment"]) is not str or parse_segment(body["segment"]) is None):
        return None
    loaded = _DEFAULTS | body
    return loaded if type(loaded["score"]) is type(loaded["confidence"]) is type(loaded[EXPLAIN]) is bool else None


@prediction.post(PREDICTION_RULE)
@Operation(
    summary="Label one row.",
    description="The row is a list of numbers in the order of the model's features, or an object with their names. "
    "`is_inlier` is 1 for an inlier and -1 for an outlier, as scikit-learn's `predict` does. "
    "`anomaly_score` is `score_samples`, in [-1, 0]: the lower, the more abnormal.",
    tag="predictions",
    request=lambda features, _: prediction_request_schema(features),
    answer=PredictionAnswer,
    refusals=(400, 413, 415, 422, *NO_MODEL),
    names_model=True,
    names_record=True,
)
def predict() -> Response:
    """Label one row."""
    with CountedPrediction() as counted:
        bundle = counted.get_model()
        answer = answer_row(service(), request_ids(), bundle, read_json(request))
        return name_record(Response(answer, mimetype=JSON_MEDIA_TYPE), bundle)


def answer_row(parts: Service, ids: RequestIds, bundle: Bundle, body: object) -> bytes:
    """Check a decoded body, score its row, publish and count it, and return the answer as JSON.

    Nothing is published or counted if the body is refused.
    """
    loaded = load_prediction_request(body, bundle.features)
    # Refused before the row counts, if this model cannot explain.
    explainer = bundle.explainer if loaded[EXPLAIN] else None
    scored = parts.score_row(ids, bundle, loaded["feature_vector"], loaded["segment"])
    answer: dict[str, Any] = {"is_inlier": scored.label}
    if loaded["score"]:
        answer["anomaly_score"] = scored.score
    if loaded["confidence"]:
        answer["confidence"] = None if scored.unfamiliar else scored.confidence
    if explainer is not None:
        answer |= explainer.explain(scored.row, scored.score).as_fields()
    if scored.unfamiliar:
        answer["unfamiliar"] = scored.unfamiliar
        if loaded["confidence"]:
            answer["notes"] = answer.get("notes", {}) | {"confidence": NO_CONFIDENCE}
    return msgspec.json.encode(answer)
