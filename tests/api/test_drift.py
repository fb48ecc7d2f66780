"""``GET /drift`` answers from what the recorder last reported, as the OpenAPI document describes it."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from prometheus_client import CollectorRegistry

from app.drift.calibration import ALL_DETECTORS, NAMING_DETECTORS
from app.metrics.recorder import RecorderMetrics
from app.model.bundle import read_bundle
from app.model.scoring import score_rows
from app.recorder.drift import DriftRecorder, StateFolder, watch_model
from app.recorder.protocol import PublishedRows


@pytest.fixture
def folder(tmp_path: Path, service: Flask, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The metrics folder of a service that was started without one."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


def test_process_without_a_recorder_says_so(client: FlaskClient):
    """The refusal says what to do."""
    answer = client.get("/drift")

    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert "start it with Gunicorn" in answer.json["detail"]


def test_missing_report_is_unavailable(client: FlaskClient, folder: Path):
    """The recorder takes a second to start, so the caller is told to try again."""
    answer = client.get("/drift")

    assert answer.status_code == 503
    assert "try again" in answer.json["detail"]


def test_report_is_as_described(client: FlaskClient, folder: Path, credits_models: Path):
    """At first, while drift lasts, and without detectors, the report follows the OpenAPI document."""
    document = client.get("/openapi.json").json
    valid = Draft202012Validator({"$ref": "#/components/schemas/DriftReport", "components": document["components"]})
    bundle = read_bundle(credits_models / "current")
    metrics = RecorderMetrics(CollectorRegistry(), ALL_DETECTORS, NAMING_DETECTORS)
    monitor = DriftRecorder(folder, StateFolder(folder, folder), 1000, metrics)
    monitor.tick()
    without_model = client.get("/drift").json
    monitor.follow(watch_model(bundle, 1000, 30, folder / "state.json"))
    monitor.tick()
    at_first = client.get("/drift").json
    scored = score_rows(bundle, np.full((200, len(bundle.features)), 60.0, np.float32))
    monitor.take(PublishedRows(0.0, "7f3e", bundle.version, 0, scored))
    monitor.tick()
    while_drifting = client.get("/drift").json

    for answer in (without_model, at_first, while_drifting):
        valid.validate(answer)
    assert without_model["state"] == "no model"
    assert at_first["detectors"]["mmd"]["statistic"] is None
    assert while_drifting["detectors"]["mmd"]["last_event"]["row"] > 10
    assert while_drifting["model_version"] == bundle.version
    assert while_drifting["replica"] == socket.gethostname()
