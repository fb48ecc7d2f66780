"""A process can be alive without being ready."""

from __future__ import annotations

from flask.testing import FlaskClient


def test_ready_service_says_so(client: FlaskClient):
    """Both routes answer 200, and readiness names the model."""
    assert client.get("/healthz").json == {"status": "ok"}
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json) == (200, {"status": "ready"})
    assert ready.headers["X-Model-Version"]


def test_service_without_a_model_is_alive_but_not_ready(client_without_model: FlaskClient):
    """An orchestrator must neither restart it nor send it requests."""
    assert client_without_model.get("/healthz").status_code == 200
    assert client_without_model.get("/readyz").status_code == 503
