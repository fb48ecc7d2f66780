"""``GET /healthz``: the process is alive. ``GET /readyz``: a verified model is loaded."""

from __future__ import annotations

from flask import Blueprint, Response
from marshmallow import Schema, fields

from app.api.operation import NO_MODEL, Operation
from app.api.service import name_model, service
from app.web.codecs import answer_json

health = Blueprint("health", __name__)


class Health(Schema):
    """The process is alive, or a verified model is loaded."""

    status = fields.String(required=True, metadata={"example": "ok"})


@health.get("/healthz")
@Operation(
    summary="The process is alive.",
    description="For an orchestrator, which restarts a process that does not answer.",
    tag="operation",
    is_for_monitoring=True,
    answer=Health,
)
def check_liveness() -> Response:
    """Answer; an orchestrator restarts a process that does not."""
    return answer_json({"status": "ok"})


@health.get("/readyz")
@Operation(
    summary="A verified model is loaded.",
    description="If not, the answer is 503 with the reason and what to do.",
    tag="operation",
    is_for_monitoring=True,
    answer=Health,
    refusals=NO_MODEL,
    names_model=True,
)
def check_readiness() -> Response:
    """Answer if predictions can be answered; if not, 503 with the reason and what to do."""
    return name_model(answer_json({"status": "ready"}), service().model.get())
