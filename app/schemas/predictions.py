"""What ``POST /predictions`` takes and gives: many rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from marshmallow import Schema, fields
from numpy.typing import NDArray

from app.model.features import Features
from app.schemas.feature_vectors import FeatureVectors
from app.schemas.loading import load_body
from app.schemas.segment import Segment
from app.schemas.strict_fields import StrictBoolean

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
