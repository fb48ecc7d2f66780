"""MLflow's scoring protocol: each of its forms gets the answers of ``/predictions``."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from flask.testing import FlaskClient

ROWS: list[list[float]] = [[-0.158, -0.1067], [0.56, 0.23], [66.3, 53.2]]
FRAME = pd.DataFrame(ROWS, columns=["mean", "sd"])
SWAPPED = FRAME[["sd", "mean"]]

FORMS = {
    "dataframe_split": SWAPPED.to_dict(orient="split"),
    "dataframe_records": SWAPPED.to_dict(orient="records"),
    "instances": ROWS,
    "inputs": SWAPPED.to_dict(orient="list"),
}


@pytest.fixture
def expected(client: FlaskClient) -> Any:
    """The answer of ``/predictions``."""
    return client.post("/predictions", json={"feature_vectors": ROWS, "score": True, "confidence": True}).json


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_understood(client: FlaskClient, expected, form: str):
    """Whatever the order of the columns."""
    answer = client.post("/invocations", json={form: FORMS[form]})

    assert (answer.status_code, answer.json) == (200, {"predictions": expected["is_inlier"]})
    assert answer.headers["X-Record-ID"]


@pytest.mark.parametrize("value", [FORMS["dataframe_records"], ROWS, FORMS["inputs"]])
def test_inputs_may_be_records_rows_or_columns(client: FlaskClient, expected, value: Any):
    """As MLflow's servers accept them."""
    for form in ("inputs", "instances"):
        assert client.post("/invocations", json={form: value}).json == {"predictions": expected["is_inlier"]}


def test_split_without_columns_is_by_position(client: FlaskClient, expected):
    """The rows are then in the order of the features."""
    answer = client.post("/invocations", json={"dataframe_split": {"data": ROWS}})

    assert answer.json == {"predictions": expected["is_inlier"]}


def test_csv_has_a_header(client: FlaskClient, expected):
    """As ``DataFrame.to_csv`` writes it."""
    answer = client.post("/invocations", data=SWAPPED.to_csv(index=False), content_type="text/csv")

    assert answer.json == {"predictions": expected["is_inlier"]}


def test_parameters_ask_for_scores(client: FlaskClient, expected):
    """Each prediction is then an object."""
    answer = client.post(
        "/invocations", json={"inputs": ROWS, "params": {"score": True, "confidence": True, "segment": "DE"}}
    )

    assert pd.DataFrame(answer.json["predictions"]).to_dict(orient="list") == expected


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "", "expected exactly one of dataframe_split"),
        ({"inputs": ROWS, "instances": ROWS}, "", "expected exactly one of"),
        ({"inputs": []}, "inputs", "expected at least one row"),
        ({"inputs": 3}, "inputs", "expected a list of rows, got a number"),
        ({"inputs": [[1, 2], [1, "2"]]}, "inputs[1][1]", "sd: expected a number, got a string"),
        ({"inputs": [[1, 2], 3]}, "inputs[1]", "expected a list of 2 numbers"),
        ({"inputs": {"mean": [1], "sd": [1, 2]}}, "inputs", "different numbers of values: mean 1, sd 2"),
        ({"inputs": {"mean": [1], "sd": 2}}, "inputs.sd", "expected a list of values"),
        ({"inputs": {"mean": [1]}}, "inputs.sd", "missing"),
        ({"dataframe_split": [1]}, "dataframe_split", "expected an object with columns and data"),
        ({"dataframe_split": {"columns": ["mean", "sdev"], "data": ROWS}}, "dataframe_split.columns.sd", "missing"),
        ({"dataframe_split": {"columns": ["sd", "sd"], "data": ROWS}}, "dataframe_split.columns.sd", "named twice"),
        ({"dataframe_split": {"columns": "mean", "data": ROWS}}, "dataframe_split.columns", "a list of names"),
        ({"dataframe_records": [{"mean": 1, "sd": None}]}, "dataframe_records[0].sd", "expected a number, got null"),
        ({"dataframe_records": [[1, 2]]}, "dataframe_records[0]", "expected an object with mean, sd"),
        ({"inputs": ROWS, "params": {"scores": True}}, "params.scores", "Unknown field"),
    ],
)
def test_mistakes_are_named(client: FlaskClient, body: Any, field: str, message: str):
    """Every refusal names the place."""
    answer = client.post("/invocations", json=body)

    assert answer.status_code == 422, answer.text
    found = {error["field"]: error["message"] for error in answer.json["errors"]}
    assert field in found
    assert message in found[field]


def test_other_media_types_and_too_many_rows_are_refused(client: FlaskClient):
    """With the limits of ``/predictions``."""
    assert client.post("/invocations", data="x", content_type="text/plain").status_code == 415
    for rows in (ROWS * 4000, [dict(zip(("mean", "sd"), row, strict=True)) for row in ROWS] * 4000):
        assert client.post("/invocations", json={"inputs": rows}).status_code == 413


def test_ping_answers_while_there_is_a_model(client: FlaskClient, client_without_model: FlaskClient):
    """Like ``/readyz``."""
    assert client.get("/ping").status_code == 200
    assert client_without_model.get("/ping").status_code == 503
