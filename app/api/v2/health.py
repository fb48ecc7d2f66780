"""``GET /v2/health/live``, ``/v2/health/ready`` and ``/v2/models/<name>[/versions/<version>]/ready``.

What the health routes of the protocol give.
"""

from __future__ import annotations

from flask import Blueprint, Response
from marshmallow import Schema, fields

from app.api.scoring import name_model
from app.api.service import service
from app.api.v2.infer import check_model
from app.web.codecs import answer_json


class ServerLive(Schema):
    """The process lives."""

    live = fields.Boolean(required=True, metadata={"example": True})


class ServerReady(Schema):
    """The service can answer inference requests."""

    ready = fields.Boolean(required=True, metadata={"example": True})


class ModelReady(Schema):
    """The model can answer inference requests."""

    name = fields.String(required=True)
    ready = fields.Boolean(required=True, metadata={"example": True})


protocol_health = Blueprint("protocol_health", __name__)


@protocol_health.get("/v2/health/live")
def tell_life() -> Response:
    """Answer; an orchestrator restarts what does not."""
    return answer_json({"live": True})


@protocol_health.get("/v2/health/ready")
def tell_readiness() -> Response:
    """Say whether rows can be scored; if not, 503 with the reason and what to do."""
    return name_model(answer_json({"ready": True}), service().model.get())


@protocol_health.get("/v2/models/<name>/ready")
@protocol_health.get("/v2/models/<name>/versions/<version>/ready")
def tell_model_readiness(name: str, version: str | None = None) -> Response:
    """Say whether this model can score rows; 404 if another one is live."""
    bundle = service().model.get()
    check_model(bundle, name, version)
    return name_model(answer_json({"name": bundle.name, "ready": True}), bundle)
