"""``GET /model_information`` describes how the live model was trained."""

from __future__ import annotations

import joblib
from flask.testing import FlaskClient


def test_parameters_are_those_of_scikit_learn(client: FlaskClient, credits_models):
    """`get_params()` is at the top level, and the model beside it."""
    estimator = joblib.load(credits_models / "current" / "model.joblib")
    answer = client.get("/model_information").json
    model = answer.pop("model")

    assert answer == estimator.get_params()
    assert model["threshold"] == estimator.offset_
    assert model["feature_names"] == ["mean", "sd"]
    assert model["training_rows"] == 64_227
    assert model["kernel"] in ("compiled", "numpy")
    assert len(model["training_sha256"]) == 64


def test_requests_are_counted(client: FlaskClient):
    """Dashboards compare these requests with predictions."""
    client.get("/model_information")

    assert "model_information_requests_total 1.0" in client.get("/metrics").text


def test_model_information_needs_a_model(client_without_model: FlaskClient):
    """Without a model, the answer is 503 with the reason."""
    assert client_without_model.get("/model_information").status_code == 503
