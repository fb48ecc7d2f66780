"""``GET /healthz``: the process lives. ``GET /readyz``: a verified model is loaded.

What ``GET /healthz`` and ``GET /readyz`` give.
"""

from __future__ import annotations

from flask import Blueprint, Response
from marshmallow import Schema, fields

from app.api.scoring import name_model
from app.api.service import service
from app.web.codecs import answer_json


class Health(Schema):
    """The process lives, or a verified model is loaded."""

    status = fields.String(required=True, metadata={"example": "ok"})


health = Blueprint("health", __name__)


@health.get("/healthz")
def tell_life() -> Response:
    """Answer; an orchestrator restarts what does not."""
    return answer_json({"status": "ok"})


@health.get("/readyz")
def tell_readiness() -> Response:
    """Say whether predictions can be answered; if not, 503 with the reason and what to do."""
    return name_model(answer_json({"status": "ready"}), service().model.get())
