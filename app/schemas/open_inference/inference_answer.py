"""What ``POST /v2/models/<name>/infer`` gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from app.schemas.open_inference.inference_request import OUTPUTS


class AnsweredParameters(Schema):
    """How an output is given."""

    binary_data_size = fields.Integer(
        metadata={"description": "The output's bytes after the JSON part of the body, instead of `data`."}
    )


class AnsweredOutput(Schema):
    """The labels or the scores of all rows."""

    name = fields.String(required=True, validate=validate.OneOf(OUTPUTS))
    datatype = fields.String(required=True, validate=validate.OneOf(("INT64", "FP64")))
    shape = fields.List(fields.Integer(), required=True, metadata={"description": "[rows]", "example": [1]})
    parameters = fields.Nested(AnsweredParameters)
    data = fields.List(fields.Float(), metadata={"example": [1]})


class InferenceAnswer(Schema):
    """Labels and scores, each in an output of its own."""

    model_name = fields.String(required=True)
    model_version = fields.String(required=True)
    id = fields.String(metadata={"description": "The caller's; only if it sent one."})
    outputs = fields.List(fields.Nested(AnsweredOutput), required=True)
