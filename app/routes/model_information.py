"""``GET /model_information``: how the live model was trained, and what it takes."""

from __future__ import annotations

from flask import Blueprint, Response

from app.routes.counted_prediction import name_model
from app.routes.service_parts import service
from app.schemas.model_information import describe_model
from app.web.json_bodies import answer_json

model_information = Blueprint("model_information", __name__)


@model_information.get("/model_information")
def tell_model_information() -> Response:
    """Describe the live model."""
    service().metrics.record_model_information_request()
    bundle = service().model.get()
    return name_model(answer_json(describe_model(bundle)), bundle)
