"""The fast path and Flask give the same answers, the same headers and the same metrics."""

from __future__ import annotations

import io
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.service import service_of

BODY = b'{"feature_vector": [0.56, 0.23], "score": true}'

bodies = st.one_of(
    st.binary(max_size=60),
    st.fixed_dictionaries(
        {"feature_vector": st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.text(), max_size=3)},
        optional={"score": st.booleans() | st.none(), "more": st.integers()},
    ).map(lambda body: json.dumps(body).encode()),
)


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


def _send(service: Flask, body: bytes, media_type: str) -> tuple[tuple[int, bytes, str | None], dict[str, float]]:
    """Send a body, and return the answer and by how much each count increased."""
    before = _numbers(service)
    answer = service.test_client().post(
        "/prediction", data=body, content_type=media_type, headers={"X-Request-ID": "same"}
    )
    after = _numbers(service)
    changed = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    return (answer.status_code, answer.data, answer.headers.get("X-Model-Version")), changed


@given(body=bodies)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fast_path_and_flask_agree(service: Flask, body: bytes):
    """A charset in the media type sends the same request through Flask."""
    fast, counted_fast = _send(service, body, "application/json")
    through_flask, counted_through_flask = _send(service, body, "application/json; charset=utf-8")

    assert fast == through_flask
    assert counted_fast == pytest.approx(counted_through_flask, abs=1e-9)
    assert counted_fast  # nothing passes uncounted


def test_usual_request_does_not_reach_flask(service: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch):
    """A usual request is answered below Flask."""
    monkeypatch.setattr(service, "full_dispatch_request", lambda *ctx: pytest.fail("Flask was called"))

    assert client.post("/prediction", data=BODY, content_type="application/json").status_code == 200


def test_request_without_a_length_goes_through_flask(client: FlaskClient):
    """A chunked body has no length."""
    answer = client.post(
        "/prediction",
        input_stream=io.BytesIO(BODY),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == 200
