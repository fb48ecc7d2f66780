"""What ``GET /healthz`` and ``GET /readyz`` give."""

from __future__ import annotations

from marshmallow import Schema, fields


class Health(Schema):
    """The process lives, or a verified model is loaded."""

    status = fields.String(required=True, metadata={"example": "ok"})
