"""What the health routes of the protocol give."""

from __future__ import annotations

from marshmallow import Schema, fields


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
