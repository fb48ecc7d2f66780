"""Unsuitable forests are refused; tests/model checks that a compiled forest is correct."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest, RandomForestRegressor

from app.errors import InvalidForest
from app.model.forest import Forest
from training.fitting.compile import compile_forest


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (RandomForestRegressor(), "This is a RandomForestRegressor; only an IsolationForest"),
        ({"model": "nested"}, "This is a dict"),
        (IsolationForest(), "not fitted"),
        (IsolationForest(n_estimators=1).fit(np.zeros((2, 257))), "takes 257 features; at most 256"),
    ],
)
def test_unsuitable_estimator_is_refused(estimator, message):
    """The message says what it is instead."""
    with pytest.raises(InvalidForest, match=message):
        compile_forest(estimator)


def test_only_public_attributes_are_read():
    """Other releases of scikit-learn lack or rename the private ones."""
    rows = np.random.default_rng(1).normal(size=(100, 4))
    estimator = IsolationForest(n_estimators=10, max_features=0.5, random_state=1).fit(rows)
    scores = estimator.score_samples(rows)
    for name in [name for name in vars(estimator) if name.startswith("_")]:
        delattr(estimator, name)

    assert np.array_equal(Forest(compile_forest(estimator)).score(rows), scores)
