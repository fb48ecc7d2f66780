"""The OpenAPI document: made from the marshmallow schemas, for the rows of the live model."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from marshmallow import Schema, fields

from app.api.audit import AuditRows
from app.api.drift import DriftReport
from app.api.feedback import MOST_LABELS, FeedbackAnswer, Label
from app.api.health import Health
from app.api.model_information import ModelInformation
from app.api.operations import API_VERSION, KEY_SCHEME, describe_operation, reference
from app.api.prediction import PredictionAnswer, prediction_request_schema
from app.api.predictions import PredictionsAnswer, predictions_request_schema
from app.api.quality import QualityReport
from app.api.records import RecordedAnswer
from app.api.v2.health import ModelReady, ServerLive, ServerReady
from app.api.v2.infer import InferenceAnswer, InferenceRequest
from app.api.v2.metadata import ListedModel, ModelMetadata, ServerMetadata
from app.model.schema import LARGEST_NUMBER, Features
from app.web.auth import KEY_HEADER
from app.web.fields import FeatureVector, FeatureVectors
from app.web.operations import OPERATIONS
from app.web.problems import Problem, ProtocolError
from app.web.protocol_operations import PROTOCOL_OPERATIONS
from app.web.record_operations import RECORD_OPERATIONS
from app.web.row_formats import describe_texts

# Before there is a model, any row may be described; these stand for its features.
_UNKNOWN_FEATURES = Features(("feature",), (0.0,), (1.0,))

# The old and the new model, while one replaces the other, and none.
_DOCUMENTS_AT_ONCE = 3

# Enough digits to look like a real row, few enough to read.
_EXAMPLE_DIGITS = 4

# In the order in which people come to need them.
_TAGS = ("predictions", "records", "model", "operation", "pages", "open inference protocol")

_RECORD_SCHEMAS = (Label, FeedbackAnswer, RecordedAnswer, AuditRows, QualityReport)

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


_KEY = {
    "type": "apiKey",
    "in": "header",
    "name": KEY_HEADER,
    "description": "One of the keys in `FEEDBACK_API_KEYS_FILE`; where there is no such file, only callers on the "
    "service's own host are let in, without a key.",
}


@lru_cache(maxsize=_DOCUMENTS_AT_ONCE)
def build_openapi(features: Features | None, max_batch_rows: int) -> dict[str, Any]:
    """Describe the service.

    Parameters
    ----------
    features
        What a row of the live model consists of; None while there is no model.
    max_batch_rows
        Most rows in one request.

    Examples
    --------
    >>> document = build_openapi(Features(("mean", "sd"), (-0.3, -0.1), (66.3, 57.7)), 10_000)
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
        tags=[{"name": tag} for tag in _TAGS],
        plugins=[plugin],
    )
    assert plugin.converter is not None  # the document has just given it one
    plugin.converter.add_attribute_function(_describe_feature_vector)  # type: ignore[no-untyped-call]
    described = features or _UNKNOWN_FEATURES
    requests = (prediction_request_schema(described), predictions_request_schema(described, max_batch_rows))
    answers = (PredictionAnswer(), PredictionsAnswer(), ModelInformation(), DriftReport(), Health(), Problem())
    for schema in (*requests, *answers, *(make() for make in (*_RECORD_SCHEMAS, *_PROTOCOL_SCHEMAS))):
        document.components.schema(_name_of(schema), schema=schema)
    if features is None:
        schemas = document.components.schemas
        _forget_number_of_features(schemas["PredictionRequest"]["properties"]["feature_vector"])
        _forget_number_of_features(schemas["PredictionsRequest"]["properties"]["feature_vectors"]["items"])
    document.components.schema("ModelIndex", {"type": "array", "items": reference("ListedModel")})
    labels = {"type": "array", "items": reference("Label"), "minItems": 1, "maxItems": MOST_LABELS}
    document.components.schema("FeedbackRequest", {"oneOf": [reference("Label"), labels]})
    document.components.security_scheme(KEY_SCHEME, _KEY)
    texts = describe_texts(features)
    for operation in (*OPERATIONS, *RECORD_OPERATIONS, *PROTOCOL_OPERATIONS):
        document.path(operation.path, operations={operation.method: describe_operation(operation, texts)})
    built: dict[str, Any] = document.to_dict()
    return built


def _name_of(schema: Schema) -> str:
    """Name a schema in the document as in the code."""
    return type(schema).__name__


def _describe_feature_vector(self: Any, field: fields.Field[Any], **_: Any) -> dict[str, Any]:
    """Tell the length and the range of a row; apispec calls this for every field."""
    if isinstance(field, FeatureVectors):
        row = _describe_row(field.features)
        return {"type": "array", "items": row, "minItems": 1, "maxItems": field.max_rows, "example": [row["example"]]}
    return _describe_row(field.features) if isinstance(field, FeatureVector) else {}


def _describe_row(features: Features) -> dict[str, Any]:
    """Describe the numbers of one row."""
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


def _forget_number_of_features(row: dict[str, Any]) -> None:
    """Describe a row of any length."""
    del row["maxItems"]
    row["description"] = "One number per feature of the model."
