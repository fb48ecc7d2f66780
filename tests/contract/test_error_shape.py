"""Every refusal is a problem document (RFC 9457), or below ``/v2`` what the Open Inference Protocol sets.

    {"type": str, "title": str, "status": int, "detail": str, "request_id": str, "errors": [...] if 422}
    {"error": str}

Routes come from the service, so a new one is covered automatically.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.api.service import service_of
from app.settings import Settings

KEYS = {"type", "title", "status", "detail", "request_id"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """The client of a service without a model, which refuses most requests."""
    app = create_app(Settings(model_dir=str(tmp_path)))
    yield app.test_client()
    service_of(app).close()


def assert_refused(response: TestResponse, path: str, status: int) -> None:
    """Check that a refusal has the shape that its path requires."""
    assert response.status_code == status
    assert response.headers["X-Request-ID"]
    if path == "/v2" or path.startswith("/v2/"):
        assert response.mimetype == "application/json"
        assert response.json.keys() == {"error"}
        assert isinstance(response.json["error"], str)
        return
    assert response.mimetype == "application/problem+json"
    assert response.json.keys() - {"errors"} == KEYS
    assert ("errors" in response.json) == (status == 422)
    assert response.json["status"] == status
    assert response.json["request_id"] == response.headers["X-Request-ID"]


def test_wrong_method_is_refused_everywhere(client: FlaskClient):
    """A 405 has a body, and lists the allowed methods in a header."""
    paths = [re.sub("<.*?>", "any", rule.rule) for rule in client.application.url_map.iter_rules()]
    assert len(paths) > 15
    for path in paths:
        response = client.open(path, method="PATCH")
        assert_refused(response, path, 405)
        assert response.headers["Allow"]


@pytest.mark.parametrize("path", ["/nowhere", "/v2x", "/v2/models/", "/v2/nowhere"])
def test_unknown_path_is_refused(client: FlaskClient, path: str):
    """A 404 has a body."""
    assert_refused(client.get(path), path, 404)


@pytest.mark.parametrize("path", ["/readyz", "/model_information", "/v2/health/ready", "/v2/models/isowatch"])
def test_missing_model_is_refused(client: FlaskClient, path: str):
    """A 503 says what to do."""
    assert_refused(client.get(path), path, 503)


@pytest.mark.parametrize("path", ["/readyz", "/v2/health/ready"])
def test_bug_is_refused(client: FlaskClient, path: str, monkeypatch: pytest.MonkeyPatch):
    """A 500 reveals no details."""
    monkeypatch.setattr(service_of(client.application).model, "get", lambda: 1 / 0)

    response = client.get(path)

    assert_refused(response, path, 500)
    assert "division" not in response.text
