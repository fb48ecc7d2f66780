"""``POST /prediction``: one row in, its label and, if asked for, its score out."""

from __future__ import annotations

from typing import Any

import numpy as np
from flask import Blueprint, Response, request

from app.routes.counted_prediction import CountedPrediction, name_model
from app.schemas.prediction import load_prediction_request
from app.web.http_metrics import hot_route
from app.web.json_bodies import answer_json, read_json

prediction = Blueprint("prediction", __name__)


@prediction.post("/prediction")
@hot_route
def predict() -> Response:
    """Score one row."""
    with CountedPrediction() as counted:
        bundle = counted.take_model()
        loaded = load_prediction_request(read_json(request), bundle.features)
        scores, labels = counted.score(bundle, np.array([loaded["feature_vector"]], np.float32))
        answer: dict[str, Any] = {"is_inlier": int(labels[0])}
        if loaded["score"]:
            answer["anomaly_score"] = float(scores[0])
        return name_model(answer_json(answer), bundle)
