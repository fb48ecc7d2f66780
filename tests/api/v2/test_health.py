"""The protocol's health routes agree with ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.service import service_of


def test_service_is_alive_with_and_without_a_model(client: FlaskClient, client_without_model: FlaskClient):
    """An orchestrator should not restart a service that waits for its model."""
    assert client.get("/v2/health/live").json == {"live": True}
    assert client_without_model.get("/v2/health/live").json == {"live": True}


def test_service_with_a_model_is_ready(client: FlaskClient, service: Flask):
    """Server and model are ready, with and without a version in the path."""
    version = service_of(service).model.get().version

    assert client.get("/v2/health/ready").json == {"ready": True}
    for path in ("/v2/models/isowatch/ready", f"/v2/models/isowatch/versions/{version}/ready"):
        answer = client.get(path)
        assert answer.json == {"name": "isowatch", "ready": True}
        assert answer.headers["X-Model-Version"] == version


@pytest.mark.parametrize("path", ["/v2/health/ready", "/v2/models/isowatch/ready", "/v2/models/isowatch"])
def test_service_without_a_model_is_not_ready(client_without_model: FlaskClient, path: str):
    """The answer is 503 with the reason and what to do."""
    answer = client_without_model.get(path)

    assert answer.status_code == 503
    assert "make train" in answer.json["error"]
