"""What is checked before a view runs: host name, site and key; and the headers for pages of other origins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.operation import routes_of
from app.api.service import service_of

ROW = {"feature_vector": [0.5, 0.5]}
FRIEND = "https://friend.example"
FAR = {"REMOTE_ADDR": "192.0.2.1"}

# Routes that read no records, change nothing, and score nothing.
OPEN_ROUTES = {
    *(
        "/",
        "/docs",
        "/openapi.json",
        "/drift",
        "/quality",
        "/thresholds",
        "/model_information",
        "/healthz",
        "/readyz",
        "/ping",
        "/metrics",
        "/models",
        "/overview",
        "/timeline",
    ),
    # Pages without data, and what people sign in and out with.
    *("/try", "/threshold", "/sign-in", "/sign-out"),
    *("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/{name}", "/v2/models/{name}/versions/{version}"),
    *("/v2/models/{name}/ready", "/v2/models/{name}/versions/{version}/ready", "/v2/repository/index"),
}


@pytest.fixture
def make_client(make_service: Callable[..., Flask], credits_models: Path, tmp_path: Path) -> Callable[..., FlaskClient]:
    """Return a function that builds a service with lines of a key file, and further settings."""

    def make(*keys: str, **settings: Any) -> FlaskClient:
        if keys:
            (tmp_path / "keys").write_text("\n".join(keys))
            settings["api_keys_file"] = str(tmp_path / "keys")
        return make_service(credits_models, **settings).test_client()

    return make


def test_every_route_that_is_not_open_needs_a_role(service: Flask):
    """A new route is protected, or listed here."""
    routes = routes_of(service)

    assert {route.path for route in routes if not route.operation.required_role} == OPEN_ROUTES
    assert {route.method for route in routes if route.path in OPEN_ROUTES} == {"GET", "POST"}
    roles = {f"{route.method} {route.path}": route.operation.required_role for route in routes}
    assert roles["POST /prediction"] == roles["POST /v2/models/{name}/infer"] == "predict"
    assert roles["GET /audit/next"] == roles["GET /predictions/{request_id}"] == "viewer"
    assert roles["POST /audit/next"] == roles["POST /feedback"] == "labeller"


@pytest.mark.parametrize("path", ["/prediction", "/predictions"])
def test_predictions_need_a_key_where_one_is_for_them(make_client: Callable[..., FlaskClient], path: str):
    """On the fast path and through Flask; the caller is counted by name, once."""
    client = make_client("scoring predict s3cret", "anna viewer other")
    body = ROW if path == "/prediction" else {"feature_vectors": [ROW["feature_vector"]]}

    statuses = [
        client.post(path, json=body, headers={"X-API-Key": key} if key else {}, environ_base=FAR).status_code
        for key in ("", "s3cret", "other", "wrong")
    ]
    assert statuses == [401, 200, 403, 401]
    assert client.post(path, json={}, headers={"X-API-Key": "s3cret"}).status_code == 422
    value = service_of(client.application).metrics.registry.get_sample_value
    assert value("api_key_requests_total", {"caller": "scoring", "role": "predict"}) == 2
    refused = {reason: value("api_key_refused_requests_total", {"reason": reason}) for reason in REASONS}
    assert refused == {"missing": 1, "wrong": 1, "without_role": 1, "too_many_wrong": 0}


REASONS = ("missing", "wrong", "without_role", "too_many_wrong")


def test_predictions_are_open_otherwise(make_client: Callable[..., FlaskClient]):
    """Also with keys for records, and with a key that nobody knows."""
    client = make_client("anna labeller s3cret")
    for headers in ({}, {"X-API-Key": "s3cret"}, {"X-API-Key": "wrong"}):
        assert client.post("/prediction", json=ROW, headers=headers, environ_base=FAR).status_code == 200


def test_wrong_keys_are_limited_and_logged(make_client: Callable[..., FlaskClient], caplog: pytest.LogCaptureFixture):
    """The log has address and route, never the key; the answer says when to come back."""
    client = make_client("anna labeller s3cret", trusted_proxies=("127.0.0.1",))
    headers = {"X-API-Key": "gue55", "X-Forwarded-For": "198.51.100.7"}
    answers = [client.get("/predictions/x", headers=headers) for _ in range(12)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 61
    assert caplog.messages == ["wrong API key from 198.51.100.7 for GET /predictions/<request_id>"] * 10
    assert "gue55" not in caplog.text
    right = {"X-API-Key": "s3cret"}
    assert client.get("/predictions/x", headers=headers | right).status_code == 429
    assert client.get("/predictions/x", headers=right | {"X-Forwarded-For": "198.51.100.8"}).status_code == 503


def test_preflight_of_a_listed_origin_is_answered(make_client: Callable[..., FlaskClient]):
    """With what it may send; the answer itself names the headers that it may read, and refusals can be read, too."""
    client = make_client(cors_origins=(FRIEND,))
    ask = {"Origin": FRIEND, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = client.options("/prediction", headers=ask)
    answer = client.post("/prediction", json=ROW, headers={"Origin": FRIEND, "Sec-Fetch-Site": "cross-site"})
    refused = client.post("/prediction", json={}, headers={"Origin": FRIEND})

    assert (preflight.status_code, answer.status_code, refused.status_code) == (200, 200, 422)
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    for each in (preflight, answer, refused):
        assert each.headers["Access-Control-Allow-Origin"] == FRIEND
        assert each.headers["Vary"] == "Origin"
    for name in ("X-Request-ID", "X-Record-ID", "X-Model-Version"):
        assert name in answer.headers["Access-Control-Expose-Headers"]


def test_other_origins_get_no_permission(make_client: Callable[..., FlaskClient]):
    """Neither with CORS_ORIGINS nor without; the answer then does not depend on the origin."""
    ask = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    for origins in ((), (FRIEND,)):
        client = make_client(cors_origins=origins)
        for answer in (
            client.options("/prediction", headers=ask),
            client.get("/model_information", headers=ask),
            client.post("/prediction", json=ROW, headers=ask),
        ):
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
            assert answer.headers.get("Vary", "") == ("Origin" if origins else "")
        assert client.post("/prediction", json=ROW, headers=ask).status_code == 403


@pytest.mark.parametrize(
    ("bind", "headers", "is_allowed"),
    [
        ("unix:/run/isowatch.sock", {}, True),
        ("unix:/run/isowatch.sock", {"X-Forwarded-For": "192.0.2.1"}, False),
        ("unix:/run/isowatch.sock,0.0.0.0:8000", {}, False),
        ("127.0.0.1:8000", {}, False),
    ],
)
def test_caller_at_a_unix_socket_is_on_this_host(
    make_client: Callable[..., FlaskClient], bind: str, headers: dict[str, str], is_allowed: bool
):
    """It has no address; elsewhere one without an address may have lost its connection, and is not trusted."""
    answer = make_client(bind=bind).get("/audit/next", headers=headers, environ_base={"REMOTE_ADDR": ""})

    # There is no database.
    assert answer.status_code == (503 if is_allowed else 403)
