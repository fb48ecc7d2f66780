"""``POST /prediction`` gives scikit-learn's answer or says what is wrong, and counts both."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.routes.service_parts import parts_of

ROW = [0.56, 0.23]


def _counted(service: Flask, status: str) -> float:
    parts = parts_of(service)
    labels = {"model_version": parts.model.get().version, "status": status}
    return parts.metrics.registry.get_sample_value("model_prediction_requests_total", labels)


def test_answer_is_that_of_scikit_learn(client: FlaskClient, credits_models):
    """Label and score of ordinary and of extreme rows."""
    estimator = joblib.load(credits_models / "current" / "model.joblib")
    for row in ([-0.158, -0.1067], ROW, [66.3, 57.7], [3e38, -3e38], [0, 0]):
        answer = client.post("/prediction", json={"feature_vector": row, "score": True})

        rows = np.array([row], np.float32)
        expected = {
            "is_inlier": estimator.predict(rows)[0],
            "anomaly_score": estimator.score_samples(rows)[0],
        }
        assert answer.json == pytest.approx(expected, abs=1e-12)


def test_score_comes_only_when_asked_for(client: FlaskClient):
    """Whoever wants the label alone gets it alone."""
    assert client.post("/prediction", json={"feature_vector": ROW}).json.keys() == {"is_inlier"}
    assert client.post("/prediction", json={"feature_vector": ROW, "score": False}).json.keys() == {"is_inlier"}


def test_confidence_comes_only_when_asked_for_and_is_counted_always(client: FlaskClient, service: Flask):
    """It is the model's own, near 0.5 at the threshold and near 1 far from it, and every row's is observed."""
    confidence = parts_of(service).model.get().confidence
    for row, least in (([-0.158, -0.1067], 0.99), ([66.3, 57.7], 0.99), (ROW, 0.0)):
        answer = client.post("/prediction", json={"feature_vector": row, "score": True, "confidence": True}).json
        assert answer["confidence"] == confidence.of_row(answer["anomaly_score"], answer["is_inlier"])
        assert least <= answer["confidence"] <= 1
    assert "confidence" not in client.post("/prediction", json={"feature_vector": ROW}).json

    assert parts_of(service).metrics.registry.get_sample_value("prediction_confidence_count") == 4


def test_answer_names_the_model(client: FlaskClient, service: Flask):
    """A label can be traced to the version that gave it."""
    answer = client.post("/prediction", json={"feature_vector": ROW})

    assert answer.headers["X-Model-Version"] == parts_of(service).model.get().version
    assert answer.mimetype == "application/json"


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"feature_vector": [NaN, 1]}', "application/json", 400),
        (b'{"feature_vector": [Infinity, 1]}', "application/json", 400),
        (b'"\xff"', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b'{"feature_vector": [1, 2]}', "text/plain", 415),
        (b'{"feature_vector": [1, 2]}', "", 415),
        (b'{"feature_vector": [1, 1e400]}', "application/json", 422),
        (b'{"feature_vector": [1, 3.5e38]}', "application/json", 422),
        (b'{"feature_vector": [1]}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"x" * 1_048_577, "application/json", 413),
    ],
)
def test_bad_request_is_refused_and_counted(client, service, body: bytes, media_type: str, status: int):
    """The caller's faults are the caller's in the metrics, too."""
    answer = client.post("/prediction", data=body, content_type=media_type)

    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    assert (_counted(service, "invalid"), _counted(service, "error"), _counted(service, "success")) == (
        1,
        0,
        0,
    )


def test_media_type_may_name_a_charset(client: FlaskClient):
    """`application/json; charset=utf-8` is JSON."""
    body = b'{"feature_vector": [1, 2]}'

    assert client.post("/prediction", data=body, content_type="application/json; charset=utf-8").status_code == 200


def test_bug_is_counted_as_ours(client, service, monkeypatch: pytest.MonkeyPatch):
    """What the caller cannot mend is an error."""
    monkeypatch.setattr(parts_of(service).model.get().forest, "score", lambda rows: 1 / 0)

    assert client.post("/prediction", json={"feature_vector": ROW}).status_code == 500
    assert (_counted(service, "error"), _counted(service, "invalid")) == (1, 0)


def test_without_a_model_the_answer_says_what_to_do(client_without_model: FlaskClient):
    """503 and a sentence, and the failure is counted."""
    answer = client_without_model.post("/prediction", json={"feature_vector": ROW})

    assert answer.status_code == 503
    assert "make train" in answer.json["detail"]
    metrics = client_without_model.get("/metrics").text
    assert 'model_prediction_requests_total{model_version="none",status="error"} 1.0' in metrics
