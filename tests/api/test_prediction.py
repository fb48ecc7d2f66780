"""``POST /prediction`` returns scikit-learn's answer or reports every mistake, and counts both."""

from __future__ import annotations

import math

import joblib
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from app.api.prediction import load_prediction_request
from app.api.service import service_of
from app.errors import InvalidPredictionRequest
from app.model.schema import LARGEST_NUMBER, Features
from app.web.fields import NO_NULL

ROW = [0.56, 0.23]


def _counted(service: Flask, status: str) -> float:
    parts = service_of(service)
    labels = {"model_version": parts.model.get().version, "status": status}
    return parts.metrics.registry.get_sample_value("model_prediction_requests_total", labels)


def test_answer_equals_scikit_learn(client: FlaskClient, credits_models):
    """Label and score are the same for ordinary and extreme rows."""
    estimator = joblib.load(credits_models / "current" / "model.joblib")
    for row in ([-0.158, -0.1067], ROW, [66.3, 53.2], [3e38, -3e38], [0, 0]):
        answer = client.post("/prediction", json={"feature_vector": row, "score": True})

        rows = np.array([row], np.float32)
        expected = {
            "is_inlier": estimator.predict(rows)[0],
            "anomaly_score": estimator.score_samples(rows)[0],
        }
        assert {name: answer.json[name] for name in expected} == pytest.approx(expected, abs=1e-12)


def test_score_is_returned_only_on_request(client: FlaskClient):
    """By default, the answer has the label alone."""
    assert client.post("/prediction", json={"feature_vector": ROW}).json.keys() == {"is_inlier"}
    assert client.post("/prediction", json={"feature_vector": ROW, "score": False}).json.keys() == {"is_inlier"}


def test_confidence_is_returned_only_on_request_and_always_observed(client: FlaskClient, service: Flask):
    """It is near 0.5 at the threshold and near 1 far from it, and the metrics observe it for every row."""
    bundle = service_of(service).model.get()
    confidence = bundle.confidence
    for row, least in (([-0.1579, -0.1067], 0.99), (list(bundle.features.high), 0.99), (ROW, 0.0)):
        answer = client.post("/prediction", json={"feature_vector": row, "score": True, "confidence": True}).json
        assert answer["confidence"] == confidence.of_row(answer["anomaly_score"], answer["is_inlier"])
        assert least <= answer["confidence"] <= 1
    assert "confidence" not in client.post("/prediction", json={"feature_vector": ROW}).json

    assert service_of(service).metrics.registry.get_sample_value("prediction_confidence_count") == 4


def test_answer_names_the_model(client: FlaskClient, service: Flask):
    """A label can be traced to the version that predicted it."""
    answer = client.post("/prediction", json={"feature_vector": ROW})

    assert answer.headers["X-Model-Version"] == service_of(service).model.get().version
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
    """The metrics count the caller's mistakes as invalid requests."""
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


def test_bug_counts_as_an_error(client, service, monkeypatch: pytest.MonkeyPatch):
    """What the caller cannot fix counts as an error."""
    monkeypatch.setattr(service_of(service).model.get().forest, "score_and_label_row", lambda row: 1 / 0)

    assert client.post("/prediction", json={"feature_vector": ROW}).status_code == 500
    assert (_counted(service, "error"), _counted(service, "invalid")) == (1, 0)


def test_without_a_model_the_answer_says_what_to_do(client_without_model: FlaskClient):
    """The answer is 503 with a reason, and the failure is counted."""
    answer = client_without_model.post("/prediction", json={"feature_vector": ROW})

    assert answer.status_code == 503
    assert "make train" in answer.json["detail"]
    metrics = client_without_model.get("/metrics").text
    assert 'model_prediction_requests_total{model_version="none",status="error"} 1.0' in metrics


FEATURES = Features(("mean", "sd"), (-1.0, 0.0), (1.0, 2.0))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
numbers = st.integers(-(10**38), 10**38) | st.floats(-LARGEST_NUMBER, LARGEST_NUMBER)


def _errors(body: object) -> dict[str, str]:
    """Return the mistakes in a body: field and message."""
    with pytest.raises(InvalidPredictionRequest) as refusal:
        load_prediction_request(body, FEATURES)
    return {error["field"]: error["message"] for error in refusal.value.errors}


@given(st.lists(numbers, min_size=2, max_size=2), st.booleans())
def test_every_row_of_numbers_is_accepted(row: list[float], score: bool):
    """Integers and floats are accepted up to the limits of float32."""
    assert load_prediction_request({"feature_vector": row, "score": score}, FEATURES) == {
        "feature_vector": row,
        "score": score,
        "confidence": False,
        "explain": False,
        "segment": "",
    }


@given(json_values | st.fixed_dictionaries({"feature_vector": json_values}, optional={"score": json_values}))
def test_anything_else_is_refused(body: object):
    """Every JSON value is either loaded as a row of finite numbers or refused with the name of a field."""
    try:
        loaded = load_prediction_request(body, FEATURES)
    except InvalidPredictionRequest as refusal:
        loaded, errors = None, refusal.errors
    if loaded is None:
        assert errors
        assert all(error["message"] for error in errors)
    else:
        assert len(loaded["feature_vector"]) == 2
        assert all(type(number) in (int, float) and math.isfinite(number) for number in loaded["feature_vector"])
        assert type(loaded["score"]) is bool


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ([1], "feature_vector", "expected 2 numbers (mean, sd), got 1"),
        ([1, 2, 3], "feature_vector", "expected 2 numbers (mean, sd), got 3"),
        ("1,2", "feature_vector", "expected a list of 2 numbers, got a string"),
        (None, "feature_vector", "Field may not be null."),
        ([1, "2"], "feature_vector[1]", "sd: expected a number, got a string"),
        ([True, 2], "feature_vector[0]", "mean: expected a number, got a boolean"),
        ([1, None], "feature_vector[1]", f"sd: expected a number, {NO_NULL}"),
        ([[1], 2], "feature_vector[0]", "mean: expected a number, got a list"),
        ([1, math.nan], "feature_vector[1]", "sd: not a finite number"),
        ([math.inf, 1], "feature_vector[0]", "mean: not a finite number"),
        ([1, 3.5e38], "feature_vector[1]", "sd: expected a number between -3.40282e+38 and 3.40282e+38"),
        ([1, -(10**400)], "feature_vector[1]", "sd: expected a number between -3.40282e+38 and 3.40282e+38"),
    ],
)
def test_bad_row_is_reported(row: object, field: str, message: str):
    """The refusal has the path, the feature and what was expected."""
    assert _errors({"feature_vector": row}) == {field: message}


def test_all_mistakes_are_reported_at_once():
    """A caller need not fix one mistake to learn of the next."""
    assert _errors({"feature_vector": ["a", None], "score": 1, "extra": 0}).keys() == {
        "feature_vector[0]",
        "feature_vector[1]",
        "score",
        "extra",
    }


@pytest.mark.parametrize("score", ["true", 1, 0, None, "yes"])
def test_score_is_a_boolean(score: object):
    """Values that merely look like true are refused."""
    assert "score" in _errors({"feature_vector": [1, 2], "score": score})
