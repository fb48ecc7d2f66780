"""``GET /model_information``: how the live model was trained, and what it accepts."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from flask import Blueprint, Response
from marshmallow import INCLUDE, Schema, fields

from app.api.operation import NO_MODEL, Operation
from app.api.service import name_model, service
from app.model.bundle import Bundle
from app.model.schema import BOOLEAN, CATEGORY, NUMBER, Features
from app.records.timestamps import format_timestamp
from app.web.codecs import answer_json

model_information = Blueprint("model_information", __name__)


class ColumnSchema(Schema):
    """An input column as training saw it."""

    name = fields.String(required=True)
    kind = fields.String(required=True, metadata={"enum": [NUMBER, CATEGORY, BOOLEAN]})
    can_be_missing = fields.Boolean(required=True, metadata={"description": "Whether null is accepted."})
    levels = fields.List(
        fields.Raw(metadata={"type": ["string", "boolean"]}),
        allow_none=True,
        required=True,
        metadata={"description": "What occurred in training; null for a number. Other texts are accepted and marked."},
    )


class LiveModelSchema(Schema):
    """The model that answers."""

    name = fields.String(required=True)
    version = fields.String(required=True)
    trained_at = fields.AwareDateTime(required=True, default_timezone=UTC)
    feature_names = fields.List(fields.String(), required=True)
    feature_ranges = fields.List(
        fields.List(fields.Float(), allow_none=True),
        required=True,
        metadata={"description": "Minimum and maximum in the training data; null for a category or boolean."},
    )
    columns = fields.List(
        fields.Nested(ColumnSchema), required=True, metadata={"description": "What each value of a row may be."}
    )
    threshold = fields.Float(
        required=True, metadata={"description": "Rows with a lower anomaly score are outliers (`offset_`)."}
    )
    training_rows = fields.Integer(required=True)
    training_sha256 = fields.String(required=True, metadata={"description": "Digest of the training file."})
    kernel = fields.String(
        required=True,
        metadata={"description": "What computes scores: `compiled`, or `numpy` (slower, same scores)."},
    )


class ModelInformation(Schema):
    """The training parameters (scikit-learn's `get_params()`), and the resulting model."""

    class Meta:
        """Accept the parameters of other releases of scikit-learn."""

        unknown = INCLUDE

    n_estimators = fields.Integer()
    max_samples = fields.Raw(metadata={"description": "A number of rows, a share of them, or `auto`."})
    contamination = fields.Raw(metadata={"description": "A share of the training rows, or `auto`."})
    max_features = fields.Float()
    bootstrap = fields.Boolean()
    n_jobs = fields.Integer(allow_none=True)
    random_state = fields.Raw(metadata={"description": "The seed; null or a text if training had none."})
    verbose = fields.Integer()
    warm_start = fields.Boolean()
    model = fields.Nested(LiveModelSchema, required=True)


def describe_model(bundle: Bundle) -> dict[str, Any]:
    """Return what a caller may want to know about the live model, as strict JSON values."""
    manifest, features = bundle.manifest, bundle.features
    parameters: dict[str, Any] = manifest["parameters"]
    columns = [_describe_column(features, place) for place in range(len(features))]
    return parameters | {
        "model": {
            "name": bundle.name,
            "version": bundle.version,
            "trained_at": format_timestamp(bundle.trained_at.timestamp()),
            "feature_names": list(features.names),
            "feature_ranges": [
                None if column["levels"] else list(span)
                for column, span in zip(columns, zip(features.low, features.high, strict=True), strict=True)
            ],
            "columns": columns,
            "threshold": bundle.forest.offset,
            "training_rows": manifest["training"]["rows"],
            "training_sha256": manifest["training"]["sha256"],
            "kernel": bundle.forest.kernel,
        }
    }


def _describe_column(features: Features, place: int) -> dict[str, Any]:
    """Return what is to be known about a column."""
    levels = features.levels[place] if features.levels else None
    kind = NUMBER if levels is None else BOOLEAN if type(levels[0]) is bool else CATEGORY
    return {
        "name": features.names[place],
        "kind": kind,
        "can_be_missing": features.may_be_missing(place),
        "levels": None if levels is None else list(levels),
    }


@model_information.get("/model_information")
@Operation(
    summary="How the live model was trained, and what it accepts.",
    description="scikit-learn's `get_params()` at the top level, and the resulting model under `model`.",
    tag="model",
    answer=ModelInformation,
    refusals=NO_MODEL,
    names_model=True,
)
def show_model_information() -> Response:
    """Describe the live model."""
    service().metrics.record_model_information_request()
    bundle = service().model.get()
    return name_model(answer_json(describe_model(bundle)), bundle)
