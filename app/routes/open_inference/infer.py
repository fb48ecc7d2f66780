"""``POST /v2/models/<name>[/versions/<version>]/infer``: tensors in, labels and scores out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from app.model.bundle import Bundle
from app.routes.counted_prediction import CountedPrediction, name_prediction
from app.routes.open_inference.asked_model import check_model
from app.routes.open_inference.rows import read_rows
from app.routes.service_parts import service
from app.schemas.open_inference.inference_request import ANOMALY_SCORE, IS_INLIER, OUTPUTS, load_inference_request
from app.web.tensor_body import answer_tensors, read_tensor_body

infer_route = Blueprint("infer", __name__)


@infer_route.post("/v2/models/<name>/infer")
@infer_route.post("/v2/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None = None) -> Response:
    """Score rows."""
    settings = service().settings
    with CountedPrediction() as counted:
        bundle = counted.take_model()
        check_model(bundle, name, version)
        request.max_content_length = settings.max_batch_body_bytes
        body, binary = read_tensor_body(request)
        asked = load_inference_request(body)
        rows = read_rows(asked["inputs"], binary, bundle.features, settings.max_batch_rows)
        scored = counted.score(bundle, rows, asked["parameters"]["segment"])
        values = {IS_INLIER: scored.labels, ANOMALY_SCORE: scored.scores}
        outputs = [(wanted, values[wanted], is_binary) for wanted, is_binary in _wanted_outputs(asked)]
        return name_prediction(answer_tensors(_frame(bundle, asked), outputs), bundle)


def _wanted_outputs(asked: dict[str, Any]) -> list[tuple[str, bool]]:
    """List the names of the wanted outputs, and whether each is wanted as bytes."""
    otherwise = asked["parameters"]["binary_data_output"]
    requested = asked["outputs"] or [{"name": name, "parameters": {}} for name in OUTPUTS]
    return [(output["name"], output["parameters"].get("binary_data", otherwise)) for output in requested]


def _frame(bundle: Bundle, asked: dict[str, Any]) -> dict[str, Any]:
    """Say who answers what."""
    frame = {"model_name": bundle.name, "model_version": bundle.version}
    return frame | ({"id": asked["id"]} if "id" in asked else {})
