"""What the metadata routes of the protocol give, and the list of models."""

from __future__ import annotations

from marshmallow import Schema, fields


class ServerMetadata(Schema):
    """The service and what it speaks beyond the protocol."""

    name = fields.String(required=True)
    version = fields.String(required=True, metadata={"description": "Of the interface, not of the model."})
    extensions = fields.List(fields.String(), required=True)


class TensorParameters(Schema):
    """What a tensor's name, type and shape do not tell."""

    feature_names = fields.List(
        fields.String(),
        metadata={"description": "The columns in order; also the names of the inputs when each is sent by itself."},
    )


class TensorMetadata(Schema):
    """An input or output of the model; -1 in a shape stands for any number of rows."""

    name = fields.String(required=True)
    datatype = fields.String(required=True, metadata={"example": "FP32"})
    shape = fields.List(fields.Integer(), required=True, metadata={"example": [-1, 2]})
    parameters = fields.Nested(TensorParameters)


class ModelMetadata(Schema):
    """The live model, its inputs and its outputs."""

    name = fields.String(required=True)
    versions = fields.List(fields.String(), required=True, metadata={"description": "The live one, and no other."})
    platform = fields.String(required=True)
    inputs = fields.List(fields.Nested(TensorMetadata), required=True)
    outputs = fields.List(fields.Nested(TensorMetadata), required=True)


class ListedModel(Schema):
    """One model of the repository index."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    state = fields.String(required=True, metadata={"example": "READY"})
    reason = fields.String(required=True, metadata={"description": "Why it is not ready; empty if it is."})
