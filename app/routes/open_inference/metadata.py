"""``GET /v2``, ``GET /v2/models/<name>[/versions/<version>]`` and the list of models."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from app.model.bundle import Bundle
from app.routes.counted_prediction import name_model
from app.routes.open_inference.asked_model import check_model
from app.routes.service_parts import service
from app.schemas.open_inference.inference_request import ANOMALY_SCORE, IS_INLIER
from app.web.json_bodies import answer_json
from app.web.openapi import API_VERSION

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
