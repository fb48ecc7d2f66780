"""The one shape of every refusal below ``/v2``, which the protocol sets."""

from __future__ import annotations

from marshmallow import Schema, fields


class ProtocolError(Schema):
    """Why a request was refused."""

    error = fields.String(required=True, metadata={"description": "What was wrong and what to do."})
