"""What ``POST /prediction`` takes and gives."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from marshmallow import Schema, fields

from app.model.features import Features
from app.schemas.loading import load_body
from app.schemas.segment import Segment
from app.schemas.strict_fields import FeatureVector, StrictBoolean

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
