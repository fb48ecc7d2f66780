"""``POST /prediction``: one row in, its label and, if asked for, its score and the confidence of the label out.

What ``POST /prediction`` takes and gives.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from flask import Blueprint, Response, request
from marshmallow import Schema, fields
from numpy.typing import NDArray

from app.api.scoring import CountedPrediction, name_prediction
from app.model.schema import Features
from app.model.scoring import ScoredRows
from app.web.codecs import answer_json, read_json
from app.web.fields import FeatureVector, Segment, StrictBoolean
from app.web.validation import load_body

# The old and the new model, while one replaces the other.
_MODELS_AT_ONCE = 2


class PredictionAnswer(Schema):
    """The label of one row and, if asked for, its score and the confidence of the label."""

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
        metadata={
            "description": "How sure the label is: the higher, the surer. Only when `confidence` was true.",
            "minimum": 0,
            "maximum": 1,
            "example": 0.98,
        }
    )


@lru_cache(maxsize=_MODELS_AT_ONCE)
def prediction_request_schema(features: Features) -> Schema:
    """Build the schema of a request to a model whose rows consist of ``features``."""
    described = "One number per feature: " + ", ".join(features.names) + "."
    return Schema.from_dict(
        {
            "feature_vector": FeatureVector(features, required=True, metadata={"description": described}),
            "score": StrictBoolean(load_default=False, metadata={"description": "Also give the anomaly score."}),
            "confidence": StrictBoolean(
                load_default=False, metadata={"description": "Also give the confidence of the label."}
            ),
            "segment": Segment(),
        },
        name="PredictionRequest",
    )()


def load_prediction_request(body: object, features: Features) -> dict[str, Any]:
    """Check a decoded body.

    Parameters
    ----------
    body
        Any JSON value.
    features
        What a row of the model consists of.

    Returns
    -------
    ``feature_vector``, as many numbers as there are features, all finite and within float32; ``score`` and
    ``confidence``, booleans; ``segment``, empty if there is none.

    Raises
    ------
    InvalidPredictionRequest
        With one entry for everything that is wrong.

    Examples
    --------
    >>> load_prediction_request({"feature_vector": [0.5, 2]}, Features(("mean", "sd"), (0, 0), (1, 1)))
    {'feature_vector': [0.5, 2], 'score': False, 'confidence': False, 'segment': ''}
    >>> load_prediction_request({"feature_vector": [0.5, "2"]}, Features(("mean", "sd"), (0, 0), (1, 1)))
    Traceback (most recent call last):
    app.errors.InvalidPredictionRequest: feature_vector[1]: sd: expected a number, got a string
    """
    return load_body(body, prediction_request_schema(features))


PREDICTION_RULE = "/prediction"

prediction = Blueprint("prediction", __name__)


@prediction.post(PREDICTION_RULE)
def predict() -> Response:
    """Score one row."""
    with CountedPrediction() as counted:
        bundle = counted.take_model()
        loaded = load_prediction_request(read_json(request), bundle.features)
        scored = counted.score(bundle, row_to_score(loaded), loaded["segment"])
        return name_prediction(answer_json(lay_out_answer(loaded, scored)), bundle)


def row_to_score(loaded: dict[str, Any]) -> NDArray[np.float32]:
    """Make the one row of a loaded request an array of shape ``(1, n_features)``."""
    return np.array([loaded["feature_vector"]], np.float32)


def lay_out_answer(loaded: dict[str, Any], scored: ScoredRows) -> dict[str, int | float]:
    """Lay out the label of the one row and what else the request asks for."""
    answer: dict[str, int | float] = {"is_inlier": int(scored.labels[0])}
    if loaded["score"]:
        answer["anomaly_score"] = float(scored.scores[0])
    if loaded["confidence"]:
        answer["confidence"] = float(scored.confidences[0])
    return answer
