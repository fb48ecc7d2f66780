"""A BentoML service around the fitted estimator, with one worker."""

import os

import bentoml
import joblib


@bentoml.service(workers=1)
class Forest:
    """Labels and scores rows."""

    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL_JOBLIB"])

    @bentoml.api
    def prediction(self, feature_vector: list[float], score: bool = False) -> dict:
        """Label one row and, if asked for, score it."""
        answer = {"is_inlier": int(self.model.predict([feature_vector])[0])}
        if score:
            answer["anomaly_score"] = float(self.model.score_samples([feature_vector])[0])
        return answer
