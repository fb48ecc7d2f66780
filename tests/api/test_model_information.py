"""``GET /model_information`` tells how the live model was made."""

from __future__ import annotations

import joblib
from flask.testing import FlaskClient


def test_parameters_are_those_of_scikit_learn(client: FlaskClient, credits_models):
    """`get_params()` at the top level, the model beside them."""
    estimator = joblib.load(credits_models / "current" / "model.joblib")
    told = client.get("/model_information").json
    model = told.pop("model")

    assert told == estimator.get_params()
    assert model["threshold"] == estimator.offset_
    assert model["feature_names"] == ["mean", "sd"]
    assert model["training_rows"] == 64_227
    assert model["kernel"] in ("compiled", "numpy")
    assert len(model["training_sha256"]) == 64


def test_requests_are_counted(client: FlaskClient):
    """The dashboards set them against predictions."""
    client.get("/model_information")

    assert "model_information_requests_total 1.0" in client.get("/metrics").text


def test_without_a_model_there_is_nothing_to_tell(client_without_model: FlaskClient):
    """503 with the reason."""
    assert client_without_model.get("/model_information").status_code == 503
