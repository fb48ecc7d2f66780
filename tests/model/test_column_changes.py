"""Counterfactuals of models with categories, and of imported pipelines, against a search of all values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

from app.model.bundle import Bundle, read_bundle
from training.__main__ import main

N_ROWS = 400


def make_purchases() -> pd.DataFrame:
    """Return numbers, a category, and a boolean; each is unusual in some rows."""
    random = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "amount": random.lognormal(1, 0.7, N_ROWS).round(2),
            "country": random.choice(["DE", "FR", "IT", "LI"], N_ROWS, p=[0.5, 0.3, 0.18, 0.02]),
            "member": random.random(N_ROWS) < 0.9,
            "age": np.where(random.random(N_ROWS) < 0.1, np.nan, random.normal(40, 9, N_ROWS).round()),
        }
    )


def train(folder: Path) -> list[str]:
    """Return the command for a trained model: one-hot features, a boolean, and numbers as they are."""
    return ["train", "--estimators", "10", "--contamination", "0.1", "--metrics-port", "0"]


def import_pipeline(folder: Path) -> list[str]:
    """Return the command for a pipeline: scaled, binned and filled numbers, levels by two encoders."""
    columns = ColumnTransformer(
        [
            ("a", make_pipeline(FunctionTransformer(np.log1p), StandardScaler()), ["amount"]),
            ("b", OneHotEncoder(), ["country", "member"]),
            ("c", make_pipeline(OrdinalEncoder(), StandardScaler()), ["country"]),
            ("d", SimpleImputer(add_indicator=True), ["age"]),
            ("e", make_pipeline(SimpleImputer(), KBinsDiscretizer(5, encode="onehot-dense")), ["age"]),
        ]
    )
    forest = IsolationForest(n_estimators=10, contamination=0.1, random_state=1)
    joblib.dump(make_pipeline(columns, forest).fit(make_purchases()), folder / "own.joblib")
    return ["import", "--model", str(folder / "own.joblib")]


@pytest.fixture(params=[train, import_pipeline])
def bundle(request: pytest.FixtureRequest, tmp_path: Path) -> Bundle:
    """Return a model with categories."""
    make_purchases().to_csv(tmp_path / "rows.csv", index=False)
    command = request.param(tmp_path)
    files = ["--train", str(tmp_path / "rows.csv"), "--models", str(tmp_path / "models"), "--no-drift"]
    assert main([*command, *files]) == 0
    return read_bundle(tmp_path / "models" / "current")


def find_outliers(bundle: Bundle) -> list[list[float]]:
    """Return rows that the model flags: some of training, and some with unusual values."""
    columns = bundle.features
    random = np.random.default_rng(3)
    amount, age = random.lognormal(1, 1.5, 300), random.normal(40, 25, 300)
    rows = np.column_stack([amount, random.integers(-1, 4, 300), random.integers(0, 2, 300), age])
    rows[::7, columns.names.index("age")] = np.nan
    order = [("amount", "country", "member", "age").index(name) for name in columns.names]
    rows = rows[:, order]
    outliers: list[list[float]] = rows[bundle.forest.score_and_label(rows)[1] == -1][:25].tolist()
    return outliers


def to_code(bundle: Bundle, name: str, value: Any) -> float:
    """Return the number of a value in an explanation."""
    numbers = bundle.features.numbers_of_levels[bundle.features.names.index(name)]
    return float(value) if numbers is None else numbers[value]


def test_change_is_an_inlier_and_the_smallest_of_one_column(bundle):
    """No value of a fine grid, and no level, is closer; a level costs one change, and the most frequent comes first."""
    explainer, names = bundle.explainer, bundle.features.names
    searched = of_levels = 0
    for row in find_outliers(bundle):
        explained = explainer.explain(row, bundle.forest.score_and_label_row(row)[0])
        best, change = np.inf, explained.counterfactual
        for place, name in enumerate(names):
            column = explainer.columns[place]
            if bundle.features.levels[place]:
                order = np.argsort([-count for count in column.counts], kind="stable")
                grid, distances = order[np.array(column.counts)[order] > 0].astype(float), np.ones(len(column.counts))
            else:
                low, high = column.values[0], column.values[-1]
                grid = np.linspace(low - 1, high + 1, 1500)
                own = column.median if np.isnan(row[place]) else row[place]
                distances = np.abs(column.positions(grid) - column.position(own)) + np.isnan(row[place])
            rows = np.repeat(np.array(row)[None], len(grid), axis=0)
            rows[:, place] = grid
            inliers = bundle.forest.score_and_label(rows)[1] == 1
            if inliers.any():
                best = min(best, distances[: len(grid)][inliers].min())
                if bundle.features.levels[place] and change is not None and change.keys() == {name}:
                    of_levels += 1
                    assert to_code(bundle, name, change[name]["to"]) == grid[inliers][0]
        if np.isfinite(best):
            searched += 1
            assert change is not None
            assert len(change) == 1
            [(name, ends)] = change.items()
            place = names.index(name)
            changed = list(row)
            changed[place] = to_code(bundle, name, ends["to"])
            assert bundle.forest.score_and_label_row(changed)[1] == 1
            found = explainer.counterfactuals.change_one(np.array(row))
            assert found.distance <= best + 1e-6
        elif change is not None:
            assert len(change) == 2
            changed = [
                to_code(bundle, name, change[name]["to"]) if name in change else value
                for name, value in zip(names, row, strict=True)
            ]
            assert bundle.forest.score_and_label_row(changed)[1] == 1
    assert searched > 5
    assert of_levels > 0


def test_levels_are_named(bundle):
    """From a new level, and to a boolean or a text, as a request would send it."""
    for row in find_outliers(bundle):
        explained = bundle.explainer.explain(row, bundle.forest.score_and_label_row(row)[0])
        for name, ends in (explained.counterfactual or {}).items():
            value = row[bundle.features.names.index(name)]
            if name == "country":
                assert ends["to"] in ("DE", "FR", "IT", "LI")
                assert ends["from"] == ("new level" if value < 0 else bundle.explainer.columns[1].levels[int(value)])
            elif name == "member":
                assert {type(ends["from"]), type(ends["to"])} == {bool}
            else:
                assert ends["from"] == (None if np.isnan(value) else value)
