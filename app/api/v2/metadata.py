"""``GET /v2``, ``GET /v2/models/<name>[/versions/<version>]`` and the list of models.

What the metadata routes of the protocol give, and the list of models.

Which model a request asks for by name: the live one or none.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from marshmallow import Schema, fields

from app.api.operations import API_VERSION
from app.api.scoring import name_model
from app.api.service import service
from app.api.v2.infer import ANOMALY_SCORE, IS_INLIER, check_model
from app.model.bundle import Bundle
from app.web.codecs import answer_json


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


# What a client may call the input that holds all features; any other name does as well.
ROWS_INPUT = "rows"

# Stands for any number of rows.
_ANY = -1

protocol_metadata = Blueprint("protocol_metadata", __name__)


@protocol_metadata.get("/v2")
def describe_server() -> Response:
    """Say what this is, model or not."""
    return answer_json({"name": "isowatch", "version": API_VERSION, "extensions": ["binary_tensor_data"]})


@protocol_metadata.post("/v2/repository/index")
def list_models() -> Response:
    """List the live model, as Triton's clients ask for it; without a model the list is empty."""
    model = service().model
    if model.features is None:
        return answer_json([])
    bundle = model.get()
    return answer_json([{"name": bundle.name, "version": bundle.version, "state": "READY", "reason": ""}])


@protocol_metadata.get("/v2/models/<name>")
@protocol_metadata.get("/v2/models/<name>/versions/<version>")
def describe_model(name: str, version: str | None = None) -> Response:
    """Say what the model takes and gives."""
    bundle = service().model.get()
    check_model(bundle, name, version)
    return name_model(answer_json(_describe(bundle)), bundle)


def _describe(bundle: Bundle) -> dict[str, Any]:
    """Lay out the model's metadata."""
    names = list(bundle.features.names)
    return {
        "name": bundle.name,
        "versions": [bundle.version],
        "platform": "isowatch_isolation_forest",
        "inputs": [
            {
                "name": ROWS_INPUT,
                # What the forest compares; FP64 is taken too, and rounded.
                "datatype": "FP32",
                "shape": [_ANY, len(names)],
                "parameters": {"feature_names": names},
            }
        ],
        "outputs": [
            {"name": IS_INLIER, "datatype": "INT64", "shape": [_ANY]},
            {"name": ANOMALY_SCORE, "datatype": "FP64", "shape": [_ANY]},
        ],
    }
