"""``GET /healthz``: the process lives. ``GET /readyz``: a verified model is loaded."""

from __future__ import annotations

from flask import Blueprint, Response

from app.routes.counted_prediction import name_model
from app.routes.service_parts import service
from app.web.json_bodies import answer_json

health = Blueprint("health", __name__)


@health.get("/healthz")
def tell_life() -> Response:
    """Answer; an orchestrator restarts what does not."""
    return answer_json({"status": "ok"})


@health.get("/readyz")
def tell_readiness() -> Response:
    """Say whether predictions can be answered; if not, 503 with the reason and what to do."""
    return name_model(answer_json({"status": "ready"}), service().model.get())
