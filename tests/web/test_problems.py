"""Every refusal has the same shape, and the answer to a bug reveals no details."""

from __future__ import annotations

import pytest
from flask import Flask, abort, request
from werkzeug.test import TestResponse

from app.errors import FieldError, InvalidPredictionRequest, ModelUnavailable
from app.metrics.http import MetricsRegistry, register_http_metrics
from app.metrics.service import ServiceMetrics
from app.web.middleware import install_middleware
from app.web.problems import PROBLEM_MEDIA_TYPE, register_error_handlers

MAX_BODY_BYTES = 100


def _tiny_service() -> Flask:
    """A service without routes that refuses as ours does."""
    app = Flask("tiny")
    register_error_handlers(app)
    registry = MetricsRegistry()
    register_http_metrics(app, registry, {})
    install_middleware(app, ServiceMetrics(registry), log=None)
    return app


def _refuse(error: Exception) -> TestResponse:
    """Return the answer of a tiny service whose only route raises ``error``."""
    app = _tiny_service()

    @app.get("/")
    def fail() -> str:
        raise error

    return app.test_client().get("/")


def test_refusal_is_a_problem_with_its_status():
    """The class defines the status, and the message becomes the detail."""
    response = _refuse(ModelUnavailable("No model: train one."))

    assert (response.status_code, response.mimetype) == (503, PROBLEM_MEDIA_TYPE)
    assert response.json == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "No model: train one.",
        "request_id": response.headers["X-Request-ID"],
    }


def test_invalid_request_lists_all_mistakes():
    """A caller can fix everything at once."""
    errors: list[FieldError] = [{"field": "score", "message": "expected true or false"}]

    assert _refuse(InvalidPredictionRequest(errors)).json["errors"] == errors


def test_unexpected_error_hides_its_message(caplog: pytest.LogCaptureFixture):
    """A bug answers 500 without the reason; the log has it, under the request id."""
    response = _refuse(RuntimeError("password=secret"))

    assert (response.status_code, response.mimetype) == (500, PROBLEM_MEDIA_TYPE)
    assert "secret" not in response.text
    assert "password=secret" in caplog.text
    assert vars(caplog.records[-1])["request_id"] == response.json["request_id"]


@pytest.mark.parametrize(("path", "method", "status"), [("/nowhere", "GET", 404), ("/", "PUT", 405)])
def test_http_error_is_a_problem(path: str, method: str, status: int):
    """Refusals by Flask itself have the same shape."""
    app = _tiny_service()
    app.add_url_rule("/", view_func=lambda: "fine")

    response = app.test_client().open(path, method=method)

    assert (response.status_code, response.mimetype) == (status, PROBLEM_MEDIA_TYPE)
    assert response.json["status"] == status
    assert ("Allow" in response.headers) == (status == 405)


def test_long_body_is_refused_with_the_limit():
    """The message has the limit."""
    app = _tiny_service()
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.add_url_rule("/", view_func=lambda: request.get_data() and "fine", methods=["POST"])

    assert app.test_client().post("/", data=b"x" * MAX_BODY_BYTES).status_code == 200
    response = app.test_client().post("/", data=b"x" * (MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert "100 bytes" in response.json["detail"]


def test_error_with_a_status_of_its_own_keeps_it():
    """`abort` works as users of Flask expect."""
    app = _tiny_service()
    app.add_url_rule("/", view_func=lambda: abort(410, "It is gone."))

    assert app.test_client().get("/").json["detail"] == "It is gone."
