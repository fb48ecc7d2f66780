"""``python -m training import``: promote a forest that was trained elsewhere, or refuse it."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import IsolationForest, RandomForestRegressor

from app.model.bundle import read_bundle
from training.__main__ import main

TABLE = pd.DataFrame(np.random.default_rng(1).normal(size=(300, 3)), columns=["id", "mean", "sd"])


@pytest.fixture
def train_csv(tmp_path: Path) -> Path:
    """Return the table as a file."""
    TABLE.to_csv(tmp_path / "train.csv", index=False)
    return tmp_path / "train.csv"


@pytest.fixture
def import_model(tmp_path: Path, train_csv: Path):
    """Store an object with joblib and import it; return the exit status."""

    def run(estimator: object, *options: str) -> int:
        model = tmp_path / "own.joblib"
        joblib.dump(estimator, model)
        files = ["--model", str(model), "--train", str(train_csv), "--models", str(tmp_path / "models")]
        return main(["import", *files, *options])

    return run


def test_forest_with_feature_names_finds_its_columns(import_model, tmp_path, capsys):
    """The file may have more columns in another order; the live model's answers equal the forest's."""
    estimator = IsolationForest(contamination=0.1, random_state=1).fit(TABLE[["sd", "mean"]])

    assert import_model(estimator, "--name", "own") == 0

    bundle = read_bundle(tmp_path / "models" / "current")
    rows = TABLE[["sd", "mean"]]
    assert (bundle.name, bundle.features.names) == ("own", ("sd", "mean"))
    assert bundle.forest.score(rows).tolist() == estimator.score_samples(rows).tolist()
    shown = capsys.readouterr()
    assert "only from people you trust" in shown.err
    assert "This model is live" in shown.out


def test_forest_without_feature_names_uses_the_column_order(import_model, tmp_path):
    """As many columns as it was fitted on, chosen by the caller."""
    estimator = IsolationForest(n_estimators=5, random_state=1).fit(TABLE[["mean", "sd"]].to_numpy())

    assert import_model(estimator, "--drop", "id") == 0

    assert read_bundle(tmp_path / "models" / "current").features.names == ("mean", "sd")


@pytest.mark.parametrize(
    "options",
    [
        ("--drop", "id"),
        ("--features", "sd,mean"),
        ("--features", "mean,sd"),
    ],
)
def test_columns_are_matched_by_name_whatever_is_chosen(import_model, tmp_path, options):
    """Two features in another order than the file's would get each other's values."""
    estimator = IsolationForest(n_estimators=5, random_state=1).fit(TABLE[["sd", "mean"]])

    assert import_model(estimator, *options) == 0

    bundle = read_bundle(tmp_path / "models" / "current")
    rows = TABLE[["sd", "mean"]]
    assert bundle.features.names == ("sd", "mean")
    assert bundle.forest.score(rows).tolist() == estimator.score_samples(rows).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--features", "id,mean"), "was fitted on sd, mean, but --features leaves id, mean; without it"),
        (("--features", "mean"), "leaves mean; without it"),
        (("--drop", "sd"), "leaves mean; without it"),
        (("--drop", "age"), "--drop: {} has no column age; its columns are id, mean, sd"),
        (("--features", "sd,age"), "--features: {} has no column age"),
    ],
)
def test_other_columns_than_the_forest_was_fitted_on_are_refused(import_model, train_csv, capsys, options, message):
    """As many columns are not the same columns."""
    estimator = IsolationForest(n_estimators=5).fit(TABLE[["sd", "mean"]])

    assert import_model(estimator, *options) == 2

    assert message.format(train_csv) in capsys.readouterr().err.splitlines()[-1]


def test_assumed_order_is_said(import_model, capsys):
    """A forest without names cannot be checked by a program, but by its owner."""
    estimator = IsolationForest(n_estimators=5).fit(TABLE[["mean", "sd"]].to_numpy())

    assert import_model(estimator, "--features", "sd,mean") == 0

    assert (
        "knows no column names; it is assumed that it was fitted on sd, mean, in this order" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (
            IsolationForest().fit(TABLE[["mean", "sd"]].to_numpy()),
            "takes 2 features, {} has 3 (id, mean, sd); choose",
        ),
        (
            IsolationForest().fit(TABLE.rename(columns={"sd": "age"})),
            "has no column age, which the model was trained on",
        ),
        (RandomForestRegressor(), "This is a RandomForestRegressor; only an IsolationForest can be served"),
        (IsolationForest(), "This IsolationForest is not fitted"),
    ],
)
def test_unsuitable_forest_is_refused(import_model, train_csv, tmp_path, capsys, estimator, message):
    """With exit status 2, one clear line and no models folder."""
    assert import_model(estimator) == 2

    assert message.format(train_csv) in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "models").exists()


def test_columns_of_texts_are_refused(tmp_path, capsys):
    """A forest takes numbers, so the texts would have to be encoded as when it was fitted."""
    estimator, model, train = IsolationForest(n_estimators=5), tmp_path / "model.joblib", tmp_path / "train.csv"
    joblib.dump(estimator.fit(TABLE[["mean", "sd"]].to_numpy()), model)
    TABLE.assign(sd=["low", "high"] * (len(TABLE) // 2))[["mean", "sd"]].to_csv(train, index=False)

    assert main(["import", "--model", str(model), "--train", str(train), "--models", str(tmp_path / "models")]) == 2

    assert f"takes numbers, and {train} has others in sd: leave them out" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "models").exists()


def test_file_that_is_no_joblib_file_is_refused(train_csv, tmp_path, capsys):
    """Such as the CSV file in place of the model, or a missing file."""
    for model, message in (
        (train_csv, "cannot be opened with scikit-learn"),
        (tmp_path / "no.joblib", "is not a file"),
    ):
        assert main(["import", "--model", str(model), "--train", str(train_csv)]) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
