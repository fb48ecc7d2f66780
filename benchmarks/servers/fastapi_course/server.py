"""The service as courses on deploying models teach it: FastAPI that calls the estimator for each request."""

import os

import joblib
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = joblib.load(os.environ["MODEL_JOBLIB"])


class PredictionRequest(BaseModel):
    """One row."""

    feature_vector: list[float]
    score: bool = False


@app.post("/prediction")
def predict(prediction_request: PredictionRequest) -> dict:
    """Label one row and, if asked for, score it."""
    answer = {"is_inlier": int(model.predict([prediction_request.feature_vector])[0])}
    if prediction_request.score:
        answer["anomaly_score"] = float(model.score_samples([prediction_request.feature_vector])[0])
    return answer
