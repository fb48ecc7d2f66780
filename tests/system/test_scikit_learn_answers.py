"""The service's answers equal scikit-learn's, with real Gunicorn and real rows."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

import joblib
import numpy as np
import pytest

from tests.system.running_service import start_service

pytestmark = pytest.mark.system

ROWS = 500


def test_every_answer_is_that_of_scikit_learn(tmp_path: Path, training_csv: Path, credits_models: Path):
    """500 rows, two workers: labels are equal, scores are within 1e-12."""
    with training_csv.open(newline="") as file:
        rows = [[float(cell) for cell in row] for row in islice(csv.reader(file), 1, ROWS + 1)]
    with start_service(tmp_path, credits_models, WEB_CONCURRENCY="2") as service:
        answers = [service.predict(row, score=True).json() for row in rows]

    estimator = joblib.load(credits_models / "current" / "model.joblib")
    as_compared = np.array(rows, np.float32)
    assert [answer["is_inlier"] for answer in answers] == estimator.predict(as_compared).tolist()
    assert {1, -1} == {answer["is_inlier"] for answer in answers}
    scores = [answer["anomaly_score"] for answer in answers]
    np.testing.assert_allclose(scores, estimator.score_samples(as_compared), rtol=0, atol=1e-12)
