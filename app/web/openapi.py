"""The OpenAPI document: made from the marshmallow schemas, for the rows of the live model."""

from __future__ import annotations

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from app.model.features import LARGEST_NUMBER, Features
from app.schemas.health import Health
from app.schemas.model_information import ModelInformation
from app.schemas.open_inference.health import ModelReady, ServerLive, ServerReady
from app.schemas.open_inference.inference_answer import InferenceAnswer
from app.schemas.open_inference.inference_request import InferenceRequest
from app.schemas.open_inference.metadata import ListedModel, ModelMetadata, ServerMetadata
from app.schemas.open_inference.refusal import ProtocolError
from app.schemas.prediction import PredictionAnswer, prediction_request_schema
from app.schemas.problem import Problem
from app.schemas.strict_fields import FeatureVector
from app.web.error_answers import PROBLEM_MEDIA_TYPE, is_of_protocol
from app.web.operations import JSON, OPERATIONS, Operation
from app.web.protocol_operations import PROTOCOL_OPERATIONS
from app.web.tensor_body import BINARY_MEDIA_TYPE, JSON_LENGTH_HEADER

# Of the interface, not of the software: raised when an answer changes in a way that callers notice.
API_VERSION = "1.0.0"

# Before there is a model, any row may be described; these stand for its features.
_UNKNOWN_FEATURES = Features(("feature",), (0.0,), (1.0,))

# The old and the new model, while one replaces the other, and none.
_DOCUMENTS_AT_ONCE = 3

# Enough digits to look like a real row, few enough to read.
_EXAMPLE_DIGITS = 4

_REQUEST_ID = {
    "X-Request-ID": {
        "description": "The caller's id of the request, if it sent a sane one, else a new one.",
        "schema": {"type": "string"},
    }
}
_MODEL_VERSION = {
    "X-Model-Version": {"description": "The version that answered.", "schema": {"type": "string"}},
}

_PROTOCOL_SCHEMAS = (
    ServerMetadata,
    ServerLive,
    ServerReady,
    ModelMetadata,
    ModelReady,
    ListedModel,
    InferenceRequest,
    InferenceAnswer,
    ProtocolError,
)
_PATH_PARAMETERS = {"name": "The model's name.", "version": "The live version."}
_JSON_LENGTH = {
    JSON_LENGTH_HEADER: {
        "description": "Where the JSON part of the body ends; without it the body is all JSON.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_BYTES = {BINARY_MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}


@lru_cache(maxsize=_DOCUMENTS_AT_ONCE)
def build_openapi(features: Features | None) -> dict[str, Any]:
    """Describe the service.

    Parameters
    ----------
    features
        What a row of the live model consists of; None while there is no model.

    Examples
    --------
    >>> document = build_openapi(Features(("mean", "sd"), (-0.3, -0.1), (66.3, 57.7)))
    >>> row = document["components"]["schemas"]["PredictionRequest"]["properties"]["feature_vector"]
    >>> row["minItems"], row["maxItems"], row["example"]
    (2, 2, [33.0, 28.8])
    """
    plugin = MarshmallowPlugin()
    document = APISpec(
        title="Isowatch",
        version=API_VERSION,
        openapi_version="3.1.0",
        # Relative to the document, so that the page's requests find the service behind a proxy that adds a prefix.
        servers=[{"url": ".", "description": "this service"}],
        info={"description": "An Isolation Forest that tells abnormal rows from normal ones, and watches itself."},
        plugins=[plugin],
    )
    assert plugin.converter is not None  # the document has just given it one
    plugin.converter.add_attribute_function(_describe_feature_vector)  # type: ignore[no-untyped-call]
    request = prediction_request_schema(features or _UNKNOWN_FEATURES)
    for schema in (
        request,
        PredictionAnswer(),
        ModelInformation(),
        Health(),
        Problem(),
        *(make() for make in _PROTOCOL_SCHEMAS),
    ):
        document.components.schema(_name_of(schema), schema=schema)
    if features is None:
        _forget_number_of_features(document.components.schemas["PredictionRequest"])
    document.components.schema("ModelIndex", {"type": "array", "items": _reference("ListedModel")})
    for operation in (*OPERATIONS, *PROTOCOL_OPERATIONS):
        document.path(operation.path, operations={operation.method: _describe(operation)})
    built: dict[str, Any] = document.to_dict()
    return built


def _name_of(schema: Schema) -> str:
    """Name a schema in the document as in the code."""
    return type(schema).__name__


def _describe_feature_vector(self: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    """Tell the length and the range of a row; apispec calls this for every field."""
    if not isinstance(field, FeatureVector):
        return {}
    features = field.features
    middle = [
        float(f"{(low + high) / 2:.{_EXAMPLE_DIGITS}g}") for low, high in zip(features.low, features.high, strict=True)
    ]
    return {
        "type": "array",
        "items": {"type": "number", "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER},
        "minItems": len(features),
        "maxItems": len(features),
        "example": middle,
    }


def _forget_number_of_features(request: dict[str, Any]) -> None:
    """Describe a row of any length."""
    row = request["properties"]["feature_vector"]
    del row["maxItems"]
    row["description"] = "One number per feature of the model."


def _describe(operation: Operation) -> dict[str, Any]:
    """Lay out one operation."""
    described: dict[str, Any] = {
        "operationId": operation.method + re.sub(r"\W+", "_", operation.path.rstrip("}")),
        "summary": operation.summary,
        "description": operation.description,
        "tags": [operation.tag],
        "responses": {"200": _answer(operation)}
        | {str(status): _refusal(operation, status) for status in (*operation.refusals, 500)},
    }
    if operation.request:
        content = {JSON: {"schema": _reference(operation.request)}} | (_BYTES if operation.takes_tensors else {})
        described["requestBody"] = {"required": True, "content": content}
    parameters = _parameters(operation)
    if parameters:
        described["parameters"] = parameters
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    """Describe what stands in the path, and in a header of the request."""
    in_path = [
        {"name": name, "in": "path", "required": True, "description": _PATH_PARAMETERS[name]}
        | {"schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    headers = _JSON_LENGTH if operation.takes_tensors else {}
    return in_path + [{"name": name, "in": "header", **header} for name, header in headers.items()]


def _answer(operation: Operation) -> dict[str, Any]:
    """Describe what a route gives when all is well."""
    described = _reference(operation.answer) if operation.answer else {}
    if not described and operation.media_type != JSON:
        described = {"type": "string"}
    headers = _REQUEST_ID | (_MODEL_VERSION if operation.names_model else {})
    return {
        "description": operation.summary,
        "content": {operation.media_type: {"schema": described}} | (_BYTES if operation.takes_tensors else {}),
        "headers": headers | (_JSON_LENGTH if operation.takes_tensors else {}),
    }


def _refusal(operation: Operation, status: int) -> dict[str, Any]:
    """Describe one way to refuse."""
    media_type, schema = (JSON, "ProtocolError") if is_of_protocol(operation.path) else (PROBLEM_MEDIA_TYPE, "Problem")
    content = {media_type: {"schema": _reference(schema)}}
    return {"description": HTTPStatus(status).phrase, "content": content, "headers": _REQUEST_ID}


def _reference(schema: str) -> dict[str, Any]:
    """Point to a schema."""
    return {"$ref": f"#/components/schemas/{schema}"}
