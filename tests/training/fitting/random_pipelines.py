"""Pipelines as people write them, at random, of the steps that `python -m training import` takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import IsolationForest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)

NUMBERS, GAPPY, TEXTS = ["amount", "price", "delta", "small"], ["age", "rate"], ["country", "shop"]


def make_table(n_rows: int, seed: int) -> pd.DataFrame:
    """Return rows with positive numbers, other numbers, missing values, texts, truth values and codes."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": random.lognormal(3, 1, n_rows).round(2),
            "price": random.gamma(2, 30, n_rows),
            "delta": random.normal(0, 5, n_rows),
            "small": random.integers(0, 9, n_rows) / 10,
            "age": np.where(random.random(n_rows) < 0.1, np.nan, random.integers(18, 90, n_rows)),
            "rate": np.where(random.random(n_rows) < 0.02, np.nan, random.random(n_rows)),
            "country": random.choice(["DE", "FR", "IT", "LI"], n_rows, p=[0.6, 0.3, 0.099, 0.001]),
            "shop": np.char.add("s", random.geometric(0.1, n_rows).astype(str)),
            "member": random.random(n_rows) < 0.3,
            "code": random.choice([10, 20, 30, 70], n_rows),
        }
    )


def make_pipeline_at_random(seed: int, n_trees: int = 20) -> Pipeline:
    """Return a pipeline that is not fitted."""
    random = np.random.default_rng(seed)

    def one_of(*makers: Callable[[], Any]) -> Any:
        return makers[random.integers(len(makers))]()

    def scale() -> Any:
        return one_of(
            StandardScaler,
            lambda: StandardScaler(with_mean=False),
            lambda: MinMaxScaler(clip=bool(random.integers(2)), feature_range=(-1, 2)),
            lambda: RobustScaler(with_centering=bool(random.integers(2))),
            MaxAbsScaler,
            PowerTransformer,
            lambda: QuantileTransformer(n_quantiles=50),
            lambda: KBinsDiscretizer(4, encode=str(random.choice(["ordinal", "onehot", "onehot-dense"]))),
            lambda: "passthrough",
        )

    def bend() -> Any:
        return one_of(
            lambda: FunctionTransformer(np.log1p),
            lambda: FunctionTransformer(np.sqrt),
            lambda: make_pipeline(FunctionTransformer(np.abs), FunctionTransformer(np.log)),
            lambda: PowerTransformer(method="box-cox", standardize=False),
            lambda: FunctionTransformer(),
        )

    def fill() -> Any:
        indicates = bool(random.integers(2))
        return one_of(
            lambda: SimpleImputer(add_indicator=indicates),
            lambda: SimpleImputer(strategy="median", add_indicator=indicates),
            lambda: SimpleImputer(strategy="constant", fill_value=-1.5),
        )

    def encode() -> Any:
        is_sparse = bool(random.integers(2))
        return one_of(
            lambda: OneHotEncoder(sparse_output=is_sparse),
            lambda: OneHotEncoder(handle_unknown="ignore", drop="first", sparse_output=is_sparse),
            lambda: OneHotEncoder(drop="if_binary", min_frequency=0.01, handle_unknown="infrequent_if_exist"),
            lambda: OneHotEncoder(max_categories=4, sparse_output=is_sparse),
            OrdinalEncoder,
            lambda: OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=30),
            lambda: make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
        )

    columns = ColumnTransformer(
        [
            ("bent", make_pipeline(bend(), scale()), ["amount", "price"]),
            ("scaled", scale(), one_of(lambda: ["delta", "small"], lambda: slice("delta", "small"), lambda: [2, 3])),
            ("filled", Pipeline([("fill", fill()), ("scale", scale())]), GAPPY),
            ("texts", encode(), one_of(lambda: TEXTS, lambda: make_column_selector(dtype_include=["object", "str"]))),
            *([("codes", encode(), ["code", "member"])] if random.integers(2) else []),
        ],
        remainder=str(random.choice(["drop", "passthrough"])),
        sparse_threshold=float(random.choice([0, 0.9])),
    )
    last = one_of(lambda: "passthrough", MaxAbsScaler, lambda: StandardScaler(with_mean=False))
    forest = IsolationForest(n_estimators=n_trees, contamination=0.05, random_state=int(seed))
    return Pipeline([("columns", columns), ("last", last), ("forest", forest)])
