"""``GET /drift``: whether rows still look like those of training, from any worker."""

from __future__ import annotations

from flask import Blueprint, Response

from app.metrics_folder import folder_of_workers
from app.recorder.drift_report import read_report
from app.web.json_bodies import answer_json

drift = Blueprint("drift", __name__)


@drift.get("/drift")
def tell_drift() -> Response:
    """Give what the recorder last reported."""
    return answer_json(read_report(folder_of_workers()))
