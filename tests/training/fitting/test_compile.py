"""Unsuitable forests are refused; tests/model checks that a compiled forest is correct."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest, RandomForestRegressor

from app.errors import InvalidForest
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


def test_path_lengths_of_fitting_are_kept():
    """Another machine's logarithm may have rounded differently: what scikit-learn stored there counts."""
    rows = np.random.default_rng(1).normal(size=(500, 2))
    estimator = IsolationForest(n_estimators=10, contamination=0.1, random_state=1).fit(rows)
    fitted = estimator._average_path_length_per_tree
    estimator._average_path_length_per_tree = tuple(np.nextafter(of_tree, 9) for of_tree in fitted)

    scores, labels = compile_forest(estimator, rows).score_and_label(rows)

    assert np.array_equal(scores, estimator.score_samples(rows))
    assert np.array_equal(labels, estimator.predict(rows))


def test_node_counts_are_scikit_learns():
    """With bootstrap, a row that was drawn twice counts twice only in the weighted counts."""
    rows = np.random.default_rng(1).normal(size=(100, 2))
    estimator = IsolationForest(n_estimators=3, bootstrap=True, random_state=1).fit(rows)

    arrays = compile_forest(estimator).arrays

    trees = [tree.tree_ for tree in estimator.estimators_]
    assert np.array_equal(arrays.n_node_samples, np.concatenate([tree.n_node_samples for tree in trees]))
    assert arrays.weighted_n_node_samples[arrays.roots].tolist() == [100] * 3
    assert (arrays.n_node_samples[arrays.roots] < 100).all()


def test_only_public_attributes_are_read():
    """Other releases of scikit-learn lack or rename the private ones."""
    rows = np.random.default_rng(1).normal(size=(100, 4))
    estimator = IsolationForest(n_estimators=10, max_features=0.5, random_state=1).fit(rows)
    scores = estimator.score_samples(rows)
    for name in [name for name in vars(estimator) if name.startswith("_")]:
        delattr(estimator, name)

    assert np.array_equal(compile_forest(estimator).score(rows), scores)
