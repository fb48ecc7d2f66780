"""``GET /healthz``: the process is alive. ``GET /readyz``: a verified model is loaded."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response
from marshmallow import Schema, fields

from app.api.operation import NO_MODEL, Operation
from app.api.service import Service, name_model, service
from app.web.codecs import JSON_MEDIA_TYPE

LIVENESS_RULE, READINESS_RULE = "/healthz", "/readyz"

LIVE = b'{"status":"ok"}'

health = Blueprint("health", __name__)


class Health(Schema):
    """The process is alive, or a verified model is loaded."""

    status = fields.String(required=True, metadata={"example": "ok"})
    warnings = fields.List(
        fields.String(), metadata={"description": "What does not work because of how the service was started."}
    )


@health.get(LIVENESS_RULE)
@Operation(
    summary="The process is alive.",
    description="For an orchestrator, which restarts a process that does not answer.",
    tag="operation",
    answer=Health,
)
def check_liveness() -> Response:
    """Answer; an orchestrator restarts a process that does not."""
    return Response(LIVE, mimetype=JSON_MEDIA_TYPE)


@health.get(READINESS_RULE)
@Operation(
    summary="A verified model is loaded.",
    description="If not, the answer is 503 with the reason and what to do.",
    tag="operation",
    answer=Health,
    refusals=NO_MODEL,
    names_model=True,
)
def check_readiness() -> Response:
    """Answer if predictions can be answered; if not, 503 with the reason and what to do."""
    parts = service()
    return name_model(Response(describe_readiness(parts), mimetype=JSON_MEDIA_TYPE), parts.model.get())


def describe_readiness(parts: Service) -> bytes:
    """Return the body of ``/readyz`` for a service with a model."""
    return msgspec.json.encode({"status": "ready"} | ({"warnings": parts.warnings} if parts.warnings else {}))
