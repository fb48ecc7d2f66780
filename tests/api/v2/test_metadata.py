"""The protocol's metadata describes the live model, and changes with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.service import service_of


def test_server_metadata_needs_no_model(client: FlaskClient, client_without_model: FlaskClient):
    """It is the same with and without a model."""
    answer = client.get("/v2")

    assert answer.json.keys() == {"name", "version", "extensions"}
    assert answer.json["extensions"] == ["binary_tensor_data"]
    assert client_without_model.get("/v2").json == answer.json


@pytest.mark.parametrize("path", ["/v2/models/isowatch", "/v2/models/isowatch/versions/{version}"])
def test_model_is_described(client: FlaskClient, service: Flask, path: str):
    """The metadata has name, version, and inputs and outputs with types and shapes."""
    version = service_of(service).model.get().version
    answer = client.get(path.format(version=version))

    assert answer.headers["X-Model-Version"] == version
    assert answer.json == {
        "name": "isowatch",
        "versions": [version],
        "platform": "isowatch_isolation_forest",
        "inputs": [
            {
                "name": "rows",
                "datatype": "FP32",
                "shape": [-1, 2],
                "parameters": {"feature_names": ["mean", "sd"]},
            }
        ],
        "outputs": [
            {"name": "is_inlier", "datatype": "INT64", "shape": [-1]},
            {"name": "anomaly_score", "datatype": "FP64", "shape": [-1]},
        ],
    }


@pytest.mark.parametrize("tail", ["", "/ready"])
@pytest.mark.parametrize("model", ["another", "Isowatch", "isowatch/versions/1"])
def test_other_models_and_versions_are_not_found(client: FlaskClient, model: str, tail: str):
    """The answer is 404 and names the live model."""
    answer = client.get(f"/v2/models/{model}{tail}")

    assert (answer.status_code, answer.mimetype, answer.json.keys()) == (404, "application/json", {"error"})
    assert "the live one is" in answer.json["error"]


def test_index_lists_the_live_model(client: FlaskClient, client_without_model: FlaskClient, service: Flask):
    """The list has one model or none."""
    version = service_of(service).model.get().version

    (listed,) = client.post("/v2/repository/index").json
    assert listed == {"name": "isowatch", "version": version, "state": "READY", "reason": ""}
    assert client_without_model.post("/v2/repository/index").json == []


def test_metadata_follows_the_live_model(make_service, tmp_path: Path, credits_models: Path):
    """A model that goes live is described from the next request on."""
    models = tmp_path / "models"
    service = make_service(models)
    client = service.test_client()
    assert client.get("/v2/models/isowatch").status_code == 503

    shutil.copytree(credits_models, models, symlinks=True)
    service_of(service).model.refresh()

    assert client.get("/v2/models/isowatch").json["versions"] == [service_of(service).model.get().version]
