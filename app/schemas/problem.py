"""The one shape of every refusal: RFC 9457, ``application/problem+json``."""

from __future__ import annotations

from marshmallow import Schema, fields


class ProblemPart(Schema):
    """What is wrong with one part of a request."""

    field = fields.String(required=True, metadata={"example": "feature_vector[1]"})
    row = fields.Integer(metadata={"description": "In a batch, counted from 0."})
    message = fields.String(required=True, metadata={"example": "sd: expected a number, got a string"})


class Problem(Schema):
    """Why a request was refused."""

    type = fields.String(required=True, metadata={"example": "about:blank"})
    title = fields.String(required=True, metadata={"description": "The status in words."})
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "What was wrong and what to do."})
    request_id = fields.String(required=True, metadata={"description": "Also in `X-Request-ID`, and in the log."})
    errors = fields.List(fields.Nested(ProblemPart), metadata={"description": "Everything that is wrong (422)."})
