"""``POST /prediction``: one row in, its label and, if asked for, its score out."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, request

from app.errors import IsowatchError
from app.metrics import ERROR, INVALID, NO_MODEL, SUCCESS
from app.routes.service_parts import service
from app.schemas.prediction import load_prediction_request
from app.web.json_bodies import answer_json, read_json

MODEL_VERSION_HEADER = "X-Model-Version"

prediction = Blueprint("prediction", __name__)


@prediction.post("/prediction")
def predict() -> Response:
    """Score one row, and count the request whatever becomes of it."""
    begun, version, status = time.perf_counter(), NO_MODEL, ERROR
    metrics = service().metrics
    try:
        bundle = service().model.get()
        version = bundle.version
        loaded = load_prediction_request(read_json(request), bundle.features)
        scores = bundle.forest.score([loaded["feature_vector"]])
        labels = bundle.forest.label(scores)
        metrics.record_scored_rows(scores, labels)
        answer: dict[str, Any] = {"is_inlier": int(labels[0])}
        if loaded["score"]:
            answer["anomaly_score"] = float(scores[0])
        response = answer_json(answer)
        response.headers[MODEL_VERSION_HEADER] = version
        status = SUCCESS
        return response
    except Exception as error:
        status = INVALID if _is_callers_fault(error) else ERROR
        raise
    finally:
        metrics.record_prediction_request(version, status, time.perf_counter() - begun)


def _is_callers_fault(error: Exception) -> bool:
    """Tell a request that could never be answered from one that we failed to answer."""
    status = error.status if isinstance(error, IsowatchError) else getattr(error, "code", None) or 500
    return bool(400 <= status < 500)
