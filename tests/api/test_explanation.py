"""Every prediction route explains its rows on request, with the same explanation."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from struct import unpack_from
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.api.explanation import MAX_EXPLAINED_ROWS
from app.api.service import service_of
from app.settings import Settings
from tests.model.format_1 import rewrite_as_format_1

# An inlier, an outlier, and one beyond everything in training.
ROWS = [[-0.158, -0.1067], [0.2, 39.2], [66.3, 53.2]]
FIELDS = {"contributions", "baseline", "reasons", "counterfactual", "p_value", "notes"}

INFER = "/v2/models/isowatch/infer"
TENSOR = {"name": "rows", "shape": [3, 2], "datatype": "FP64", "data": ROWS}


def _start(models: Path, folder: Path) -> Flask:
    return create_app(Settings(model_dir=str(models), database_url=f"sqlite:///{folder}/none.db"))


@pytest.fixture(scope="module")
def explaining(credits_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A service whose model can explain."""
    service = _start(credits_models, tmp_path_factory.mktemp("explaining"))
    yield service
    service_of(service).close()


@pytest.fixture(scope="module")
def client(explaining: Flask) -> FlaskClient:
    """The client of the service."""
    return explaining.test_client()


@pytest.fixture(scope="module")
def single(client: FlaskClient) -> list[dict[str, Any]]:
    """The answers of ``/prediction``."""
    body = {"score": True, "explain": True}
    return [client.post("/prediction", json={"feature_vector": row} | body).json for row in ROWS]


def test_contributions_add_up_to_the_score(single):
    """With the baseline, they are the logarithm of the score; an outlier has reasons and a counterfactual."""
    for answer in single:
        assert answer.keys() == {"is_inlier", "anomaly_score"} | FIELDS
        total = sum(answer["contributions"].values()) + answer["baseline"]
        assert total == pytest.approx(math.log2(-answer["anomaly_score"]), abs=1e-12)
        for name in ("counterfactual", "p_value"):
            assert (answer[name] is None) <= (name in answer["notes"]), "null has a reason"

    inlier, outlier, _ = single
    assert [inlier["is_inlier"], outlier["is_inlier"]] == [1, -1]
    assert inlier["counterfactual"] is None
    assert outlier["reasons"]


def test_counterfactual_is_an_inlier(client: FlaskClient, single):
    """A caller that changes the row as it says gets the other label."""
    for row, answer in zip(ROWS, single, strict=True):
        if answer["counterfactual"] is None:
            continue
        changed = dict(zip(("mean", "sd"), row, strict=True))
        changed |= {name: change["to"] for name, change in answer["counterfactual"].items()}
        body = {"feature_vector": [changed["mean"], changed["sd"]]}
        assert client.post("/prediction", json=body).json == {"is_inlier": 1}


def test_explanation_is_returned_only_on_request(client: FlaskClient):
    """By default, the answers are unchanged."""
    for body in ({}, {"explain": False}):
        assert client.post("/prediction", json={"feature_vector": ROWS[1]} | body).json == {"is_inlier": -1}
        assert client.post("/predictions", json={"feature_vectors": ROWS[1:]} | body).json == {"is_inlier": [-1, -1]}


def test_rows_of_a_batch_are_explained_as_single_rows(client: FlaskClient, single):
    """In JSON as lists, in newline-delimited JSON as one object per row."""
    options = {"score": True, "explain": True}
    answer = client.post("/predictions", json={"feature_vectors": ROWS} | options)
    assert [dict(zip(answer.json, cells, strict=True)) for cells in zip(*answer.json.values(), strict=True)] == single

    body = "\n".join(json.dumps(row) for row in ROWS)
    lines = client.post("/predictions?score=true&explain=true", data=body, content_type="application/x-ndjson").text
    assert [json.loads(line) for line in lines.splitlines()] == single


def test_explanations_fit_into_csv(client: FlaskClient, single):
    """A column for each contribution; texts are quoted, and unknown values are empty."""
    body = "mean,sd\n" + "".join(f"{mean},{sd}\n" for mean, sd in ROWS)
    answer = client.post("/predictions?explain=true", data=body, content_type="text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))

    for line, expected in zip(lines, single, strict=True):
        assert float(line["contribution.sd"]) == expected["contributions"]["sd"]
        assert line["reasons"] == "; ".join(expected["reasons"])
        changed = expected["counterfactual"]
        assert (json.loads(line["counterfactual"]) if line["counterfactual"] else None) == changed
        assert (float(line["p_value"]) if line["p_value"] else None) == expected["p_value"]
        assert json.loads(line["notes"]) == expected["notes"]


def test_tensors_have_explanations(client: FlaskClient, single):
    """Two more outputs: numbers, and the fields of ``/prediction`` as texts; in JSON or as bytes."""
    body: dict[str, Any] = {"inputs": [TENSOR], "parameters": {"explain": True}}
    outputs = {output["name"]: output for output in client.post(INFER, json=body).json["outputs"]}
    contributions = [list(answer["contributions"].values()) for answer in single]
    expected = [{name: answer[name] for name in FIELDS} for answer in single]

    assert list(outputs) == ["is_inlier", "anomaly_score", "contributions", "explanation"]
    assert outputs["contributions"]["shape"] == [3, 2]
    assert outputs["contributions"]["data"] == np.ravel(contributions).tolist()
    assert (outputs["explanation"]["datatype"], outputs["explanation"]["shape"]) == ("BYTES", [3])
    assert [json.loads(text) for text in outputs["explanation"]["data"]] == expected

    body["parameters"]["binary_data_output"] = True
    answer = client.post(INFER, json=body)
    length = int(answer.headers["Inference-Header-Content-Length"])
    head, rest = json.loads(answer.data[:length]), answer.data[length:]
    sizes = [output["parameters"]["binary_data_size"] for output in head["outputs"]]
    assert sum(sizes) == len(rest)
    assert np.frombuffer(rest, "<f8", 6, 2 * 3 * 8).tolist() == np.ravel(contributions).tolist()
    texts, place = [], sum(sizes[:3])
    while place < len(rest):
        (size,) = unpack_from("<I", rest, place)
        texts.append(json.loads(rest[place + 4 : place + 4 + size]))
        place += 4 + size
    assert texts == expected


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/prediction", {"feature_vector": ROWS[0], "explain": True}),
        ("/predictions", {"feature_vectors": ROWS, "explain": True}),
        (INFER, {"inputs": [TENSOR], "parameters": {"explain": True}}),
    ],
)
class TestRoutes:
    """What holds for every route."""

    def test_event_loop_leaves_explanations_to_flask(self, explaining: Flask, path: str, body: object):
        """Nothing is scored or counted before."""
        registry = service_of(explaining).metrics.registry
        before = registry.get_sample_value("predictions_scores_count")
        headers = [(b"content-type", b"application/json")]
        encoded = json.dumps(body).encode()
        assert explaining.fast_path.answer("POST", path, "", headers, encoded, "") is None  # type: ignore[attr-defined]
        assert registry.get_sample_value("predictions_scores_count") == before

    def test_model_of_format_1_says_what_to_do(self, old_client: FlaskClient, path: str, body: dict[str, Any]):
        """It cannot explain, but goes on answering; nothing is counted as scored."""
        refused = old_client.post(path, json=body)
        assert refused.status_code == 422
        assert "train or import" in refused.json.get("detail", refused.json.get("error", ""))
        answered = {key: value for key, value in body.items() if key not in ("explain", "parameters")}
        assert old_client.post(path, json=answered).status_code == 200


@pytest.fixture(scope="module")
def old_client(credits_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """The client of a service with a bundle of format 1."""
    folder = tmp_path_factory.mktemp("old")
    version = (credits_models / "current").resolve()
    shutil.copytree(version, folder / "models" / version.name)
    rewrite_as_format_1(folder / "models" / version.name)
    (folder / "models" / "current").symlink_to(version.name)
    service = _start(folder / "models", folder)
    yield service.test_client()
    service_of(service).close()


def test_too_many_rows_to_explain_are_refused(client: FlaskClient):
    """The limit is in the message, and nothing is scored."""
    body = {"feature_vectors": [ROWS[0]] * (MAX_EXPLAINED_ROWS + 1), "explain": True}
    registry = service_of(client.application).metrics.registry
    before = registry.get_sample_value("predictions_scores_count")
    answer = client.post("/predictions", json=body)

    assert answer.status_code == 413
    assert answer.json["detail"].startswith("The request has 1001 rows to explain: send at most 1000 at once")
    assert registry.get_sample_value("predictions_scores_count") == before


@pytest.mark.parametrize("value", ["true", 1, None])
def test_explain_is_a_boolean(client: FlaskClient, value: object):
    """Values that merely look like true are refused."""
    answer = client.post("/prediction", json={"feature_vector": ROWS[0], "explain": value})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["explain"]
