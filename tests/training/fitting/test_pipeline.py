"""Pipelines of scikit-learn become encodings whose answers are the same; other steps are refused by name."""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
)

from app.errors import InvalidForest
from app.model.encoding_check import check_encoding
from app.model.forest import Forest
from tests.training.fitting.random_pipelines import GAPPY, NUMBERS, TEXTS, make_pipeline_at_random, make_table
from training.commands.imported_rows import read_rows_of_pipeline
from training.data.dataset import Dataset
from training.fitting.compile import check_agreement, compile_forest
from training.fitting.evaluate import evaluate
from training.fitting.pipeline import TranslatedPipeline, find_forest, flatten, translate_pipeline

FOREST = IsolationForest(n_estimators=10, contamination=0.1, random_state=1)

TABLE = make_table(400, 1)


def translate(pipeline: Pipeline, table: Any, folder: Path, **options: Any) -> tuple[TranslatedPipeline, Dataset]:
    """Write the table as CSV, and read it as import does."""
    table.to_csv(folder / "rows.csv", index=False)
    defaults = {"features": None, "drop": None, "label": None, "sep": None, "decimal": "", "thousands": None}
    files = {"model": Path("own.joblib"), "train": folder / "rows.csv", "encoding": ""}
    return read_rows_of_pipeline(pipeline, argparse.Namespace(**defaults | files | options))


def check_equal(pipeline: Pipeline, table: Any, folder: Path, **options: Any) -> tuple[Forest, Dataset]:
    """Check that the translation answers all rows, together and one by one, as scikit-learn does."""
    translated, data = translate(pipeline, table, folder, **options)
    forest = compile_forest(pipeline[-1], data.matrix, data.encoding)
    evaluation = evaluate(forest, data.rows)
    check_agreement(pipeline, translated.to_input(data.rows), evaluation)
    given = table if hasattr(pipeline[0], "feature_names_in_") else table.to_numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.abs(pipeline.score_samples(given) - evaluation.scores).max() <= 1e-12
        assert np.array_equal(pipeline.predict(given), evaluation.labels)
    for row, score, label in zip(data.rows[:50].tolist(), evaluation.scores, evaluation.labels, strict=False):
        assert forest.score_and_label_row(row) == (score, label)
    # What goes into the manifest is strict JSON that a service takes.
    json.dumps(data.steps, allow_nan=False)
    assert data.encoding is not None
    check_encoding({**data.described, "features": [{"name": name} for name in data.encoding.names]})
    return forest, data


def test_random_pipelines_answer_as_scikit_learn(is_long, tmp_path):
    """Scalers, imputers, encoders, bins and functions, one after the other; 30 pipelines and 100,000 rows in full."""
    for seed in range(30 if is_long else 6):
        table = make_table(100_000 if is_long else 400, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline = make_pipeline_at_random(seed).fit(table)
        check_equal(pipeline, table, tmp_path)


BY_NAME = [
    make_pipeline(make_column_transformer((StandardScaler(), slice("amount", "delta")), remainder="drop"), FOREST),
    make_pipeline(ColumnTransformer([("a", StandardScaler(), make_column_selector(dtype_include="number"))]), FOREST),
    make_pipeline(
        ColumnTransformer([("a", "passthrough", ["rate"]), ("b", StandardScaler(), lambda table: ["rate"])]), FOREST
    ),
]

IN_ANY_WAY = [
    Pipeline([("scale", StandardScaler()), ("forest", FOREST)]),
    make_pipeline(SimpleImputer(add_indicator=True), StandardScaler(), FOREST),
    make_pipeline(ColumnTransformer([("a", StandardScaler(), [0, -1])], remainder="passthrough"), FOREST),
    make_pipeline("passthrough", FOREST),
    make_pipeline(StandardScaler(), FOREST).set_output(transform="pandas"),
]


@pytest.mark.parametrize(
    ("pipeline", "has_names"),
    [(each, True) for each in [*BY_NAME, *IN_ANY_WAY]] + [(each, False) for each in IN_ANY_WAY],
)
def test_ordinary_pipelines_are_taken(pipeline, has_names, tmp_path):
    """With columns by name, number, slice, selector or function; fitted on tables and on arrays."""
    table = TABLE[NUMBERS + GAPPY]
    pipeline.fit(table if has_names else table.to_numpy())

    _, data = check_equal(pipeline, table, tmp_path)

    assert set(data.names) <= set(table)


@pytest.mark.parametrize(
    ("encoder", "new_like"),
    [
        (OneHotEncoder(), "LI"),
        (OneHotEncoder(handle_unknown="ignore"), None),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=0.05), "LI"),
        (OrdinalEncoder(), "LI"),
    ],
)
def test_new_level_is_encoded_as_the_pipeline_says_or_as_the_rarest(encoder, new_like, tmp_path):
    """An encoder that refuses new levels would refuse a customer's row."""
    table = TABLE[["amount", "country"]].assign(country=lambda t: t.country.where(t.index > 3, "LI"))
    columns = ColumnTransformer([("text", encoder, ["country"])], remainder="passthrough")
    pipeline = make_pipeline(columns, FOREST).fit(table)

    forest, data = check_equal(pipeline, table, tmp_path)

    levels = data.levels["country"]
    of_new = forest.encoding.encode([[-1.0 if name == "country" else 5.0 for name in data.names]])
    if new_like is None:
        assert of_new[0, :4].tolist() == [0, 0, 0, 0]
    else:
        code = float(levels.index(new_like))
        like = forest.encoding.encode([[code if name == "country" else 5.0 for name in data.names]])
        assert of_new.tolist() == like.tolist()


def test_columns_of_texts_codes_and_truth_values_have_levels(tmp_path):
    """Levels are numbered by frequency; a column that nothing uses is no input; what is filled may be missing later."""
    columns = ColumnTransformer(
        [("levels", OneHotEncoder(), [*TEXTS, "code", "member"]), ("fill", SimpleImputer(), ["amount"])]
    )
    pipeline = make_pipeline(columns, FOREST).fit(TABLE)

    _, data = check_equal(pipeline, TABLE, tmp_path)

    kinds = {column["name"]: column["kind"] for column in data.described["columns"]}
    assert kinds == {
        "amount": "number", "country": "category", "shop": "category", "member": "boolean", "code": "category"
    }  # fmt: skip
    assert data.levels["country"] == tuple(TABLE.country.value_counts().index)
    assert set(data.levels["code"]) == {"10", "20", "30", "70"}
    allowed = [column["name"] for column in data.described["columns"] if column.get("allow_missing")]
    assert allowed == ["amount"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (PCA(2), "The step reduce is a PCA, which cannot be served: do this in the table before, or use a step of Sta"),
        (FunctionTransformer(np.cbrt), "The step reduce is a FunctionTransformer that cannot be served: it calls cbrt"),
        (FunctionTransformer(lambda rows: rows), "it calls <lambda>: only np.log1p, np.log, np.sqrt and np.abs"),
        (QuantileTransformer(n_quantiles=9, output_distribution="normal"), "its output_distribution is normal"),
        (ColumnTransformer([("pca", PCA(1), ["amount", "delta"])]), "The step reduce.pca is a PCA"),
    ],
)
def test_other_steps_are_refused_by_name(step, message, tmp_path):
    """With what to do."""
    pipeline = Pipeline([("reduce", step), ("forest", FOREST)]).fit(TABLE[NUMBERS])

    with pytest.raises(InvalidForest) as refused:
        translate(pipeline, TABLE[NUMBERS], tmp_path)

    assert message in str(refused.value)


def test_values_beyond_every_number_are_the_largest(tmp_path):
    """The logarithm of 0, and of a negative number: a label, and no error."""
    table = TABLE[["amount", "price"]]
    forest, _ = check_equal(make_pipeline(FunctionTransformer(np.log), FOREST).fit(table), table, tmp_path)

    rows = [[0.0, 5.0], [-1.0, 5.0], [3e38, 0.0]]

    scores, labels = forest.score_and_label(rows)
    assert [forest.score_and_label_row(row) for row in rows] == list(zip(scores, labels, strict=True))
    assert forest.encoding.encode(rows)[0, 0] == np.finfo(np.float32).min
    assert np.isnan(forest.encoding.encode(rows)[1, 0])


def test_input_that_only_an_encoder_drops_is_taken(tmp_path):
    """A category of one level makes no feature; scikit-learn still wants a text there."""
    random = np.random.default_rng(0)
    table = pd.DataFrame({"x": random.normal(size=300), "currency": "EUR", "country": random.choice(["DE", "FR"], 300)})
    encoder = make_column_transformer((StandardScaler(), ["x"]), (OneHotEncoder(drop="first"), ["currency", "country"]))
    pipeline = make_pipeline(encoder, IsolationForest(n_estimators=5, random_state=1)).fit(table)

    translated = translate_pipeline(pipeline, list(table))

    assert [source.name for source in translated.sources] == ["x", "country"]
    rows = np.column_stack([table["x"], table["country"] == "FR"]).astype(np.float64)
    assert np.array_equal(pipeline.score_samples(translated.to_input(rows)), pipeline.score_samples(table))


def test_last_step_may_be_a_pipeline():
    """Its steps are served as those of the outer one."""
    rows = np.random.default_rng(0).normal(size=(200, 2))
    inner = make_pipeline(StandardScaler(), IsolationForest(n_estimators=5, random_state=1))
    outer = make_pipeline(SimpleImputer(), inner).fit(rows)

    flat = flatten(outer)

    assert find_forest(flat) is outer[-1][-1]
    assert np.array_equal(flat.score_samples(rows), outer.score_samples(rows))
    assert len(translate_pipeline(flat, ["a", "b"]).to_steps()) == 2
