"""``GET /v2``, ``GET /v2/models/<name>[/versions/<version>]`` and the list of models."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from marshmallow import Schema, fields

from app.api.openapi import API_VERSION
from app.api.operation import NO_MODEL, Operation, RawSchema, reference_to
from app.api.service import name_model, service
from app.api.v2.infer import TAG, check_model
from app.api.v2.inference_request import ANOMALY_SCORE, BOOL, BYTES, IS_INLIER
from app.model.bundle import Bundle
from app.web.codecs import answer_json

# The name of the input that holds all features; clients may use any other name.
ROWS_INPUT = "rows"

# In a shape: any number of rows.
_ANY = -1

protocol_metadata = Blueprint("protocol_metadata", __name__)


class ServerMetadata(Schema):
    """The service and what it speaks beyond the protocol."""

    name = fields.String(required=True)
    version = fields.String(required=True, metadata={"description": "Version of the interface, not of the model."})
    extensions = fields.List(fields.String(), required=True)


class TensorParameters(Schema):
    """Further properties of a tensor."""

    feature_names = fields.List(
        fields.String(),
        metadata={"description": "The columns in order; also the names of the inputs if each feature is sent as one."},
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
    versions = fields.List(fields.String(), required=True, metadata={"description": "Only the live version."})
    platform = fields.String(required=True)
    inputs = fields.List(fields.Nested(TensorMetadata), required=True)
    outputs = fields.List(fields.Nested(TensorMetadata), required=True)


class ListedModel(Schema):
    """One model of the repository index."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    state = fields.String(required=True, metadata={"example": "READY"})
    reason = fields.String(required=True, metadata={"description": "Why it is not ready; empty if it is."})


_MODEL_INDEX = RawSchema(
    name="ModelIndex", schema={"type": "array", "items": reference_to("ListedModel")}, uses=(ListedModel,)
)


@protocol_metadata.get("/v2")
@Operation(
    summary="The service and the protocol extensions that it supports.",
    description="For clients of KServe, Triton and MLServer.",
    tag=TAG,
    answer=ServerMetadata,
)
def describe_server() -> Response:
    """Return the name, version and extensions of the service, with or without a model."""
    return answer_json({"name": "isowatch", "version": API_VERSION, "extensions": ["binary_tensor_data"]})


@protocol_metadata.post("/v2/repository/index")
@Operation(
    summary="A list with the live model.",
    description="For Triton's clients; the list is empty without a model.",
    tag=TAG,
    answer=_MODEL_INDEX,
)
def list_models() -> Response:
    """Return the live model as a list, for Triton's clients; without a model the list is empty."""
    model = service().model
    if model.features is None:
        return answer_json([])
    bundle = model.get()
    return answer_json([{"name": bundle.name, "version": bundle.version, "state": "READY", "reason": ""}])


@protocol_metadata.get("/v2/models/<name>/versions/<version>")
@protocol_metadata.get("/v2/models/<name>")
@Operation(
    summary="The model's inputs and outputs.",
    description="Its one input has all features; each feature may also be sent as an input of its own.",
    tag=TAG,
    answer=ModelMetadata,
    refusals=(404, *NO_MODEL),
    names_model=True,
)
def describe_model(name: str, version: str | None = None) -> Response:
    """Return the inputs and outputs of the model."""
    bundle = service().model.get()
    check_model(bundle, name, version)
    return name_model(answer_json(_describe(bundle)), bundle)


def _describe_columns(bundle: Bundle) -> list[dict[str, Any]]:
    """Return an input for each column, as their values have different types."""
    return [
        {
            "name": name,
            "datatype": "FP64" if levels is None else BOOL if type(levels[0]) is bool else BYTES,
            "shape": [_ANY],
        }
        for name, levels in zip(bundle.features.names, bundle.features.levels, strict=True)
    ]


def _describe(bundle: Bundle) -> dict[str, Any]:
    """Return the model's metadata as JSON values."""
    names = list(bundle.features.names)
    return {
        "name": bundle.name,
        "versions": [bundle.version],
        "platform": "isowatch_isolation_forest",
        "inputs": _describe_columns(bundle)
        if bundle.features.levels
        else [
            {
                "name": ROWS_INPUT,
                # The type that the forest compares, or in which a pipeline computes; the other is accepted, too.
                "datatype": "FP64" if bundle.features.is_double else "FP32",
                "shape": [_ANY, len(names)],
                "parameters": {"feature_names": names},
            }
        ],
        "outputs": [
            {"name": IS_INLIER, "datatype": "INT64", "shape": [_ANY]},
            {"name": ANOMALY_SCORE, "datatype": "FP64", "shape": [_ANY]},
        ],
    }
