"""A pipeline of scikit-learn, imported and served: rows are sent as people have them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, StandardScaler

from app import create_app
from app.api.service import service_of
from app.model.bundle import read_bundle
from app.settings import Settings
from training.__main__ import main

COLUMNS = ["amount", "age", "country", "share"]

# A tenth is not a float32; the bins' edges are tenths, so rounding too early would choose another bin.
ROW: dict[str, Any] = {"amount": 12.3, "age": None, "country": "FR", "share": 0.7}


def make_purchases(n_rows: int) -> pd.DataFrame:
    """Return a table."""
    random = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "amount": random.lognormal(3, 1, n_rows).round(2),
            "age": np.where(random.random(n_rows) < 0.1, np.nan, random.integers(18, 90, n_rows)),
            "country": random.choice(["DE", "FR", "IT"], n_rows),
            "share": random.integers(0, 11, n_rows) / 10,
            "note": "unused",
        }
    )


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    """Return a fitted pipeline."""
    columns = ColumnTransformer(
        [
            ("amount", make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), ["amount"]),
            ("age", SimpleImputer(add_indicator=True), ["age"]),
            ("country", OneHotEncoder(handle_unknown="ignore"), ["country"]),
            ("share", KBinsDiscretizer(10, encode="ordinal", strategy="uniform"), ["share"]),
        ]
    )
    forest = IsolationForest(n_estimators=20, contamination=0.05, random_state=1)
    return Pipeline([("columns", columns), ("forest", forest)]).fit(make_purchases(500))


@pytest.fixture(scope="module")
def folder(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Import it; return the folder with the files."""
    folder = tmp_path_factory.mktemp("pipeline")
    make_purchases(500).to_csv(folder / "rows.csv", index=False)
    joblib.dump(pipeline, folder / "own.joblib")
    files = ["--train", str(folder / "rows.csv"), "--models", str(folder / "models"), "--no-drift"]
    assert main(["import", "--model", str(folder / "own.joblib"), *files]) == 0
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[Flask]:
    """Return a service with it."""
    app = create_app(Settings(model_dir=str(folder / "models"), database_url=f"sqlite:///{folder}/none/records.db"))
    yield app
    service_of(app).close()


@pytest.fixture
def client(service: Flask) -> FlaskClient:
    """Return its client."""
    return service.test_client()


def test_every_form_of_a_row_gets_the_score_of_the_pipeline(client, pipeline):
    """By name, by position, in batches, as CSV, as newline-delimited JSON, and as tensors."""
    [score] = pipeline.score_samples(pd.DataFrame([ROW | {"age": np.nan, "note": ""}]))
    expected = pytest.approx(score, abs=1e-12)
    values = [ROW[name] for name in COLUMNS]

    def ask(path: str, **body: Any) -> Any:
        answer = client.post(path, **body)
        assert answer.status_code == 200, answer.text
        return answer

    assert ask("/prediction", json={"features": ROW, "score": True}).json["anomaly_score"] == expected
    assert ask("/prediction", json={"feature_vector": values, "score": True}).json["anomaly_score"] == expected
    assert ask("/predictions", json={"rows": [ROW] * 2, "score": True}).json["anomaly_score"] == [expected] * 2
    csv = ask(
        "/predictions?score=true", data="share,country,age,amount\n0.7,FR,NA,12.3\n", content_type="text/csv"
    ).text
    assert float(csv.splitlines()[1].split(",")[1]) == expected
    lines = ask("/predictions?score=true", data=json.dumps(values), content_type="application/x-ndjson").text
    assert json.loads(lines)["anomaly_score"] == expected
    inputs = [
        {"name": name, "shape": [1], "datatype": "BYTES" if name == "country" else "FP64", "data": [ROW[name] or 40]}
        for name in COLUMNS
    ]
    tensors = ask("/v2/models/isowatch/infer", json={"inputs": inputs}).json
    [score] = pipeline.score_samples(pd.DataFrame([ROW | {"age": 40, "note": ""}]))
    assert tensors["outputs"][1]["data"][0] == pytest.approx(score, abs=1e-12)


def test_explanations_and_unfamiliar_values_speak_of_columns(client):
    """Never of steps; the contributions still add up to the score."""
    row = ROW | {"country": "XX", "amount": 1e6}
    answer = client.post("/prediction", json={"features": row, "score": True, "explain": True}).json

    assert answer["contributions"].keys() == ROW.keys()
    total = sum(answer["contributions"].values()) + answer["baseline"]
    assert total == pytest.approx(np.log2(-answer["anomaly_score"]))
    assert answer["unfamiliar"] == {"amount": "above training range", "country": "new level"}


def test_columns_are_described_as_they_are_sent(client):
    """Without the column that no step takes."""
    columns = client.get("/model_information").json["model"]["columns"]

    assert [(column["name"], column["kind"]) for column in columns] == [
        ("amount", "number"),
        ("age", "number"),
        ("country", "category"),
        ("share", "number"),
    ]


def test_stored_estimator_is_the_pipeline(folder, pipeline):
    """For people; the service reads the steps as data."""
    stored = joblib.load(folder / "models" / "current" / "model.joblib")

    rows = make_purchases(20)
    assert stored.predict(rows).tolist() == pipeline.predict(rows).tolist()


def test_service_that_does_not_know_an_operation_refuses_the_bundle(folder):
    """As an older one refuses the steps of this release: it must not score without them."""
    from app.model.encoding_check import check_encoding

    manifest = read_bundle(folder / "models" / "current").manifest
    manifest["encoding"][0]["operations"][0]["operation"] = "cbrt"

    with pytest.raises(ValueError, match="the operation 'cbrt', which this release does not know: update it"):
        check_encoding(manifest)


def test_pipeline_that_does_not_fit_the_file_is_refused(folder, pipeline, tmp_path, capsys):
    """Texts where it takes numbers, a missing column, and levels that its encoder refuses."""
    table = make_purchases(300)
    strict = ColumnTransformer([("country", OneHotEncoder(), ["country"])], remainder="passthrough")
    other = make_pipeline(strict, IsolationForest(n_estimators=5)).fit(table[["country", "share"]])
    joblib.dump(other, tmp_path / "own.joblib")
    for changed, message in (
        (table.assign(share="high"), "takes share as a number, but"),
        (table.drop(columns="share"), "has no column share, which the model was trained on"),
        (table.assign(country="XX"), "was not fitted on 'XX', as in"),
    ):
        changed.to_csv(tmp_path / "rows.csv", index=False)
        files = ["--train", str(tmp_path / "rows.csv"), "--models", str(tmp_path / "models")]
        assert main(["import", "--model", str(tmp_path / "own.joblib"), *files]) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
        assert not (tmp_path / "models" / "current").exists()
