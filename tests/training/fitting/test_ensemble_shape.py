"""Depth, leaves and splits of a forest equal those of scikit-learn's trees."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from training.fitting.evaluate import EnsembleShape

ROWS = np.random.default_rng(1).normal(size=(300, 3))


@pytest.mark.parametrize("max_features", [1.0, 0.67])
def test_shape_equals_that_of_the_trees(max_features):
    """Counted node by node, also if each tree uses some of the features only."""
    forest = IsolationForest(n_estimators=9, max_features=max_features, random_state=1).fit(ROWS)
    shape = EnsembleShape.of(forest, ("a", "b", "c"))

    tested = [
        "abc"[seen[feature]]
        for tree, seen in zip(forest.estimators_, forest.estimators_features_, strict=True)
        for feature in tree.tree_.feature
        if feature >= 0
    ]
    assert shape.n_trees == 9
    assert shape.max_depth == max(tree.get_depth() for tree in forest.estimators_)
    assert shape.n_leaves == sum(tree.get_n_leaves() for tree in forest.estimators_)
    assert shape.split_shares == pytest.approx({name: tested.count(name) / len(tested) for name in "abc"})
    assert list(shape.split_shares.values()) == sorted(shape.split_shares.values(), reverse=True)


def test_forest_without_splits_has_no_shares():
    """If all rows are equal, each tree is a single leaf."""
    shape = EnsembleShape.of(IsolationForest(n_estimators=4).fit(np.ones((20, 2))), ("a", "b"))

    assert shape == EnsembleShape(n_trees=4, n_leaves=4, max_depth=0, split_shares={})
