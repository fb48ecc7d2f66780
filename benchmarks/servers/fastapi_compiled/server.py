"""The strongest competitor: FastAPI on uvloop with our own compiled forest and Prometheus metrics of requests.

It validates rows as the service does and returns the same answers, but has no metrics of scores and labels, no log, no
request ids and no model reload.
"""

import os
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel, ConfigDict, Field

from app.model.bundle import read_bundle

# The greatest float32: the forest compares in float32.
_GREATEST = 3.4028234663852886e38

bundle = read_bundle(Path(os.environ["MODEL_DIR"]) / "current")
n_features = len(bundle.features)

app = FastAPI()
Instrumentator().instrument(app).expose(app)

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-_GREATEST, le=_GREATEST)]


class PredictionRequest(BaseModel):
    """One row."""

    model_config = ConfigDict(strict=True, extra="forbid")

    feature_vector: Annotated[list[Finite], Field(min_length=n_features, max_length=n_features)]
    score: bool = False


class PredictionAnswer(BaseModel):
    """The label of a row and, if asked for, its score."""

    is_inlier: int
    anomaly_score: float | None = None


# A coroutine: FastAPI runs plain functions in a thread, which would take longer than the forest.
@app.post("/prediction", response_model_exclude_none=True)
async def predict(prediction_request: PredictionRequest) -> PredictionAnswer:
    """Label one row and, if asked for, score it."""
    scores, labels = bundle.forest.score_and_label([prediction_request.feature_vector])
    is_inlier = int(labels[0])
    return PredictionAnswer(is_inlier=is_inlier, anomaly_score=float(scores[0]) if prediction_request.score else None)
