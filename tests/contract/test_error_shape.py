"""Every refusal of every route is a problem document (RFC 9457).

    {"type": str, "title": str, "status": int, "detail": str, "request_id": str, "errors": [...] if 422}

Routes are taken from the service, so a new one is covered on the day it is added.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.routes.service_parts import parts_of
from app.settings import Settings

KEYS = {"type", "title", "status", "detail", "request_id"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[FlaskClient]:
    """A service without a model refuses most."""
    app = create_app(Settings(model_dir=str(tmp_path)))
    yield app.test_client()
    parts_of(app).close()


def assert_problem(response: TestResponse, status: int) -> None:
    """Hold a refusal against the shape."""
    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.json.keys() - {"errors"} == KEYS
    assert ("errors" in response.json) == (status == 422)
    assert response.json["status"] == status
    assert response.json["request_id"] == response.headers["X-Request-ID"]


def test_wrong_method_is_a_problem_everywhere(client: FlaskClient):
    """405 has a body, and says in a header what is allowed."""
    rules = [rule for rule in client.application.url_map.iter_rules() if not rule.arguments]
    assert len(rules) > 5
    for rule in rules:
        response = client.open(rule.rule, method="PATCH")
        assert_problem(response, 405)
        assert response.headers["Allow"]


def test_unknown_path_is_a_problem(client: FlaskClient):
    """404 has a body."""
    assert_problem(client.get("/nowhere"), 404)


@pytest.mark.parametrize("path", ["/readyz", "/model_information"])
def test_missing_model_is_a_problem(client: FlaskClient, path: str):
    """503 says what to do."""
    assert_problem(client.get(path), 503)
