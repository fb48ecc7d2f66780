"""``POST /prediction``: one row in, its label and, if asked for, its score and the confidence of the label out."""

from __future__ import annotations

from typing import Any

import numpy as np
from flask import Blueprint, Response, request
from numpy.typing import NDArray

from app.model.scored_rows import ScoredRows
from app.routes.counted_prediction import CountedPrediction, name_prediction
from app.schemas.prediction import load_prediction_request
from app.web.json_bodies import answer_json, read_json

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
