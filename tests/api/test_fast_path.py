"""The fast path and Flask give the same answers, the same headers and the same metrics."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.service import service_of

INFER = "/v2/models/isowatch/infer"
TENSOR = {"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": [0.56, 0.23]}

JSON = (b"content-type", b"application/json")
MODEL_HEADERS = {"x-model-version", "x-record-id", "x-request-id", "content-type", "content-length"}

numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.text(), max_size=3)
bodies = st.one_of(
    st.binary(min_size=1, max_size=60),
    st.fixed_dictionaries(
        {"feature_vector": numbers}, optional={"score": st.booleans() | st.none(), "more": st.integers()}
    ).map(lambda body: json.dumps(body).encode()),
)


class _Sent(NamedTuple):
    """What an answer has in common with that of the other way."""

    status: int
    headers: dict[str, str]
    body: bytes


def _numbers(service: Flask) -> dict[str, float]:
    """Return every count of predictions and requests."""
    families = service_of(service).metrics.registry.collect()
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in families
        if family.name.startswith(("model_prediction_requests", "predict", "flask_http_request"))
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket")) and "seconds_sum" not in sample.name
    }


def _send_in_loop(service: Flask, method: str, path: str, body: bytes) -> _Sent | None:
    """Send a request to the fast path alone."""
    headers = [(b"x-request-id", b"same"), *([JSON] if method == "POST" else [])]
    answer = service.fast_path.answer(method, path, "", headers, body)  # type: ignore[attr-defined]
    if answer is None:
        return None
    return _Sent(answer.status, {name.decode().lower(): value.decode() for name, value in answer.headers}, answer.body)


def _send_to_flask(service: Flask, method: str, path: str, body: bytes) -> _Sent:
    """Send the same request to Flask."""
    media_type = "application/json" if method == "POST" else None
    answer = service.test_client().open(
        path, method=method, data=body or None, content_type=media_type, headers={"X-Request-ID": "same"}
    )
    return _Sent(answer.status_code, {name.lower(): value for name, value in answer.headers}, answer.data)


def _check_same(service: Flask, method: str, path: str, body: bytes) -> None:
    """Check that both ways give the same answer, and count it in the same series."""
    first = _numbers(service)
    in_loop = _send_in_loop(service, method, path, body)
    second = _numbers(service)
    by_flask = _send_to_flask(service, method, path, body)
    third = _numbers(service)

    if in_loop is None:
        assert second == first, "a request that is left to Flask is not counted before"
        return
    for sent in (in_loop, by_flask):
        sent.headers.pop("x-record-id", None)  # differs by nature
    assert in_loop == by_flask
    assert {name: second[name] - first.get(name, 0) for name in second} == pytest.approx(
        {name: third[name] - second.get(name, 0) for name in third}, abs=1e-9
    )
    assert second != first, "nothing passes uncounted"


@given(body=bodies)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_body_has_the_same_answer(service: Flask, body: bytes):
    """A mistake is left to Flask; all else has the same answer both ways."""
    _check_same(service, "POST", "/prediction", body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/prediction", {"feature_vector": [0.56, 0.23], "score": True, "confidence": True, "segment": "DE"}),
        ("/predictions", {"feature_vectors": [[0.56, 0.23], [9, 9]], "score": True, "confidence": True}),
        (INFER, {"inputs": [TENSOR], "id": "7"}),
        (INFER, {"inputs": [TENSOR], "outputs": [{"name": "is_inlier"}]}),
        ("/v2/models/isowatch/versions/{version}/infer", {"inputs": [TENSOR]}),
    ],
)
def test_usual_predictions_are_answered_in_the_loop(service: Flask, path: str, body: object):
    """Every form of a small request in JSON has a fast path, with the headers of Flask's answer."""
    path = path.format(version=service_of(service).model.get().version)
    encoded = json.dumps(body).encode()

    assert service.fast_path.may_answer("POST", path, len(encoded))  # type: ignore[attr-defined]
    sent = _send_in_loop(service, "POST", path, encoded)
    assert sent is not None
    assert sent.headers.keys() == MODEL_HEADERS
    _check_same(service, "POST", path, encoded)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_checks_are_answered_in_the_loop(service: Flask, path: str):
    """A busy service still answers its orchestrator."""
    assert service.fast_path.may_answer("GET", path, 0)  # type: ignore[attr-defined]
    assert _send_in_loop(service, "GET", path, b"") is not None
    _check_same(service, "GET", path, b"")


@pytest.mark.parametrize(
    "headers",
    [
        [(b"content-type", b"text/csv")],
        [],
        [JSON, (b"accept", b"text/csv")],
        [JSON, (b"origin", b"http://elsewhere.example")],
        [JSON, (b"sec-fetch-site", b"cross-site")],
        [JSON, (b"content-encoding", b"gzip")],
        [JSON, (b"inference-header-content-length", b"10")],
    ],
)
def test_unusual_requests_are_left_to_flask(service: Flask, headers: list[tuple[bytes, bytes]]):
    """Flask decides about every other media type, and about browsers."""
    body = b'{"feature_vector": [0.56, 0.23]}'

    assert service.fast_path.answer("POST", "/prediction", "", headers, body) is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("method", "path", "length"),
    [
        ("POST", "/prediction", 9000),
        ("POST", "/prediction", 0),
        ("POST", "/feedback", 50),
        ("GET", "/prediction", 0),
        ("HEAD", "/healthz", 0),
    ],
)
def test_other_requests_are_left_to_flask_by_their_head(service: Flask, method: str, path: str, length: int):
    """The loop does not wait for the bodies of requests that it cannot answer."""
    assert not service.fast_path.may_answer(method, path, length)  # type: ignore[attr-defined]


def test_binary_outputs_are_left_to_flask(service: Flask):
    """Their media type is another; nothing is scored or counted twice."""
    body = {"inputs": [TENSOR], "parameters": {"binary_data_output": True}}

    _check_same(service, "POST", INFER, json.dumps(body).encode())
    assert _send_in_loop(service, "POST", INFER, json.dumps(body).encode()) is None


def test_no_model_is_left_to_flask(client_without_model: FlaskClient):
    """Flask's answer says what to do."""
    fast_path = client_without_model.application.fast_path  # type: ignore[attr-defined]

    assert fast_path.answer("POST", "/prediction", "", [JSON], b'{"feature_vector": [1, 2]}') is None
    assert fast_path.answer("GET", "/readyz", "", [], b"") is None


def test_refusal_is_short_and_has_an_id(service: Flask):
    """What cannot be parsed is refused in the form of every other refusal."""
    answer = service.fast_path.refuse(400, "x" * 100_000)  # type: ignore[attr-defined]
    body = json.loads(answer.body)

    assert answer.status == body["status"] == 400
    assert dict(answer.headers)[b"X-Request-ID"].decode() == body["request_id"]
    assert len(answer.body) < 8192
