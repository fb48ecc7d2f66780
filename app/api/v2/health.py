"""``GET /v2/health/live``, ``/v2/health/ready`` and ``/v2/models/<name>[/versions/<version>]/ready``."""

from __future__ import annotations

from flask import Blueprint, Response
from marshmallow import Schema, fields

from app.api.operation import NO_MODEL, Operation
from app.api.service import name_model, service
from app.api.v2.infer import TAG, check_model
from app.web.codecs import answer_json

protocol_health = Blueprint("protocol_health", __name__)


class ServerLive(Schema):
    """The process is alive."""

    live = fields.Boolean(required=True, metadata={"example": True})


class ServerReady(Schema):
    """The service can answer inference requests."""

    ready = fields.Boolean(required=True, metadata={"example": True})


class ModelReady(Schema):
    """The model can answer inference requests."""

    name = fields.String(required=True)
    ready = fields.Boolean(required=True, metadata={"example": True})


@protocol_health.get("/v2/health/live")
@Operation(
    summary="The process is alive.", description="Like `/healthz`.", tag=TAG, answer=ServerLive, is_for_monitoring=True
)
def check_liveness() -> Response:
    """Answer; an orchestrator restarts a process that does not."""
    return answer_json({"live": True})


@protocol_health.get("/v2/health/ready")
@Operation(
    summary="A verified model is loaded.",
    description="Like `/readyz`: if not, the answer is 503 with the reason and what to do.",
    tag=TAG,
    is_for_monitoring=True,
    answer=ServerReady,
    refusals=NO_MODEL,
    names_model=True,
)
def check_readiness() -> Response:
    """Answer if rows can be scored; if not, 503 with the reason and what to do."""
    return name_model(answer_json({"ready": True}), service().model.get())


@protocol_health.get("/v2/models/<name>/versions/<version>/ready")
@protocol_health.get("/v2/models/<name>/ready")
@Operation(
    summary="The model can score rows.",
    description="404 if another model is live.",
    tag=TAG,
    is_for_monitoring=True,
    answer=ModelReady,
    refusals=(404, *NO_MODEL),
    names_model=True,
)
def check_model_readiness(name: str, version: str | None = None) -> Response:
    """Answer if this model can score rows; 404 if another one is live."""
    bundle = service().model.get()
    check_model(bundle, name, version)
    return name_model(answer_json({"name": bundle.name, "ready": True}), bundle)
