"""Rows as people have them: categories, booleans, missing values, and values that training did not see."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.api.service import service_of
from app.settings import Settings
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset, read_training_data
from training.fitting.fit import ForestParameters, fit

# A row of each kind of column, in range.
ROW: dict[str, Any] = {"amount": 12.5, "country": "DE", "member": True, "shop": "s3", "age": 40}


def write_purchases(file: Path) -> Path:
    """Write a table with a category of few levels and one of many, a boolean, and missing values."""
    random = np.random.default_rng(3)
    lines = ["amount,country,member,shop,age"]
    for number in range(1000):
        country = ["DE", "DE", "FR", "IT"][random.integers(4)] if number != 500 else "LI"
        age = "" if random.random() < 0.05 else str(random.integers(18, 90))
        lines.append(f"{random.lognormal(2):.2f},{country},{['yes', 'no'][number % 2]},s{random.integers(30)},{age}")
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture(scope="module")
def purchases(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Return the training rows."""
    return read_training_data(write_purchases(tmp_path_factory.mktemp("data") / "purchases.csv"))


@pytest.fixture(scope="module")
def service(purchases: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Return a service with a model of these rows."""
    folder = tmp_path_factory.mktemp("service")
    estimator = fit(purchases.matrix, ForestParameters(n_estimators=20))
    write_bundle(folder / "models", TrainedModel("purchases", estimator, purchases))
    app = create_app(Settings(model_dir=str(folder / "models"), database_url=f"sqlite:///{folder}/none/records.db"))
    yield app
    service_of(app).close()


@pytest.fixture
def client(service: Flask) -> FlaskClient:
    """Return its client."""
    return service.test_client()


def ask(client: FlaskClient, **changes: Any) -> dict[str, Any]:
    """Send the row with some other values, by name, and return the answer."""
    answer = client.post("/prediction", json={"features": ROW | changes, "score": True, "confidence": True})
    assert answer.status_code == 200, answer.text
    return dict(answer.json)


def test_every_form_of_a_row_gets_the_score_of_scikit_learn(client, service, purchases):
    """By name, by position, as CSV, as newline-delimited JSON, and as tensors."""
    bundle = service_of(service).model.get()
    estimator = joblib.load(bundle.folder / "model.joblib")
    assert purchases.encoding is not None
    row = np.array([[12.5, 0, 1, purchases.levels["shop"].index("s3"), np.nan]])
    expected = pytest.approx(estimator.score_samples(purchases.encoding.encode(row))[0], abs=1e-12)

    assert ask(client, age=None)["anomaly_score"] == expected
    values = [12.5, "DE", "yes", "s3", None]
    by_position = client.post("/prediction", json={"feature_vector": values, "score": True})
    assert by_position.json["anomaly_score"] == expected
    csv = client.post(
        "/predictions?score=true",
        data="age,shop,member,country,amount\nNA,s3,TRUE,DE,12.5\n",
        content_type="text/csv",
    )
    assert float(csv.text.splitlines()[1].split(",")[1]) == expected
    lines = client.post("/predictions?score=true", data=json.dumps(values), content_type="application/x-ndjson")
    assert json.loads(lines.text)["anomaly_score"] == expected
    frame = client.post(
        "/invocations", json={"dataframe_split": {"columns": list(ROW), "data": [values]}, "params": {"score": True}}
    )
    assert frame.json["predictions"][0]["anomaly_score"] == expected
    kinds = ("FP64", "BYTES", "BOOL", "BYTES", "FP32")
    inputs = [
        {"name": name, "shape": [1], "datatype": kind, "data": [True if name == "member" else value]}
        for name, kind, value in zip(ROW, kinds, values, strict=True)
    ]
    tensors = client.post("/v2/models/purchases/infer", json={"inputs": inputs})
    assert tensors.json["outputs"][1]["data"][0] == expected


def test_texts_come_as_bytes_too(client):
    """With the binary extension, each text follows its length."""
    parts = [struct.pack("<d", 12.5), struct.pack("<I", 2) + b"DE", b"\1", struct.pack("<I", 2) + b"s3", b"\x28"]
    kinds = ("FP64", "BYTES", "BOOL", "BYTES", "UINT8")
    inputs = [
        {"name": name, "shape": [1], "datatype": kind, "parameters": {"binary_data_size": len(part)}}
        for name, kind, part in zip(ROW, kinds, parts, strict=True)
    ]
    head = json.dumps({"inputs": inputs}).encode()

    answer = client.post(
        "/v2/models/purchases/infer",
        data=head + b"".join(parts),
        headers={"Inference-Header-Content-Length": str(len(head))},
        content_type="application/octet-stream",
    )

    assert answer.status_code == 200, answer.text
    assert answer.json["outputs"][1]["data"] == [ask(client)["anomaly_score"]]


@pytest.mark.parametrize(
    ("changes", "unfamiliar"),
    [
        ({}, None),
        ({"amount": 1e6}, {"amount": "above training range"}),
        ({"amount": -1e30}, {"amount": "below training range"}),
        ({"country": "XX", "age": 1e30}, {"country": "new level", "age": "above training range"}),
        ({"age": None}, None),
    ],
)
def test_values_that_training_did_not_see_are_marked(client, changes, unfamiliar):
    """Such a row has no confidence, and the note says why."""
    answer = ask(client, **changes)

    assert answer.get("unfamiliar") == unfamiliar
    assert (answer["confidence"] is None) == (unfamiliar is not None)
    assert ("notes" in answer) == (unfamiliar is not None)


def test_new_level_is_scored_as_the_rarest(client):
    """It is marked, and never refused."""
    assert ask(client, country="XX")["anomaly_score"] == ask(client, country="LI")["anomaly_score"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"amount": None}, "expected a number, got null: training had a value in every row"),
        ({"country": None}, "expected a text, got null: training had a value in every row"),
        ({"member": "maybe"}, "expected true or false, got a string"),
        ({"age": "40"}, "expected a number, got a string"),
        ({"shop": ["s3"]}, "expected a text, got a list"),
    ],
)
def test_other_values_are_refused_by_name(client, changes, message):
    """The message names the column."""
    answer = client.post("/prediction", json={"features": ROW | changes})

    assert answer.status_code == 422
    [error] = answer.json["errors"]
    assert error["field"] == f"features.{next(iter(changes))}"
    assert message in error["message"]


def test_explanations_speak_of_columns(client):
    """Never of encoded features; the contributions still add up to the score."""
    answer = client.post("/prediction", json={"features": ROW | {"country": "LI"}, "score": True, "explain": True}).json

    assert answer["contributions"].keys() == ROW.keys()
    total = sum(answer["contributions"].values()) + answer["baseline"]
    assert total == pytest.approx(np.log2(-answer["anomaly_score"]))
    assert answer["reasons"][0] == "country = LI, as in 0.1 % of the training rows"


def test_columns_are_described(client):
    """In /model_information and in the OpenAPI document."""
    model = client.get("/model_information").json["model"]
    document = client.get("/openapi.json").json

    assert model["feature_names"] == list(ROW)
    assert [column["kind"] for column in model["columns"]] == ["number", "category", "boolean", "category", "number"]
    assert model["columns"][1]["levels"] == ["DE", "IT", "FR", "LI"]
    named = document["components"]["schemas"]["PredictionRequest"]["properties"]["features"]["properties"]
    assert [named[name]["type"] for name in ROW] == ["number", "string", "boolean", "string", ["number", "null"]]
    assert client.get("/").status_code == 200


def test_unfamiliar_values_are_counted(client, service):
    """By column and reason; every series that can grow starts at 0."""
    registry = service_of(service).metrics.registry
    labels = {"feature_name": "shop", "reason": "new level"}
    before = registry.get_sample_value("unfamiliar_values_total", labels)

    answer = client.post("/predictions", json={"rows": [ROW, ROW | {"shop": "other"}], "confidence": True}).json

    assert answer["unfamiliar"] == [None, {"shop": "new level"}]
    assert answer["confidence"][1] is None
    assert answer["notes"] == [{}, {"confidence": "not known for a row with unfamiliar values"}]
    assert registry.get_sample_value("unfamiliar_values_total", labels) == before + 1
    assert registry.get_sample_value("model_training_rows") == 1000
