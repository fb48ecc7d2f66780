"""Out-of-bag scores come from the trees that did not see a row, and only if it is sure which these are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from training.fitting.compile import compile_forest
from training.fitting.fit import ForestParameters, fit, score_out_of_bag

ROWS = np.random.default_rng(1).normal(size=(1000, 4))


def score_with_unseeing_trees(estimator: IsolationForest, rows: np.ndarray) -> np.ndarray:
    """Score each row with a forest of the trees that did not see it, by scikit-learn's own functions."""
    single = rows.astype(np.float32)
    paths, n_trees = np.zeros(len(rows)), np.zeros(len(rows))
    forest = zip(estimator.estimators_, estimator.estimators_features_, estimator.estimators_samples_, strict=True)
    for number, (tree, features, drawn) in enumerate(forest):
        unseen = np.setdiff1d(np.arange(len(rows)), drawn)
        leaves = tree.apply(single[unseen][:, features])
        depths = estimator._decision_path_lengths[number][leaves]
        paths[unseen] += depths + estimator._average_path_length_per_tree[number][leaves] - 1.0
        n_trees[unseen] += 1
    n = estimator.max_samples_
    average = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
    is_scored = n_trees > 0
    return np.sort(-(2 ** -(paths[is_scored] / n_trees[is_scored] / average)))


@pytest.mark.parametrize(
    "parameters",
    [
        ForestParameters(n_estimators=50),
        ForestParameters(n_estimators=7, max_samples=900, max_features=0.5),
        ForestParameters(n_estimators=5, max_samples=1000, bootstrap=True),
    ],
)
def test_scores_are_those_of_the_other_trees(parameters):
    """Grown in batches, on some of the features, and with rows that are drawn twice."""
    estimator = fit(ROWS, parameters)

    scored = score_out_of_bag(estimator, compile_forest(estimator), ROWS)

    scored.check()
    expected = score_with_unseeing_trees(estimator, ROWS)
    assert np.repeat(scored.scores, scored.counts) == pytest.approx(expected, rel=0, abs=1e-12)


def test_rows_that_no_tree_saw_have_the_score_of_the_forest():
    """To the last bit, so that a new row with the same values ties with it."""
    estimator = fit(ROWS, ForestParameters(n_estimators=1))

    scored = score_out_of_bag(estimator, compile_forest(estimator), ROWS)

    unseen = np.setdiff1d(np.arange(1000), estimator.estimators_samples_[0])
    assert np.array_equal(np.repeat(scored.scores, scored.counts), np.sort(estimator.score_samples(ROWS[unseen])))


@pytest.mark.parametrize(
    ("estimator", "rows"),
    [
        (IsolationForest(max_samples=1000, n_estimators=5).fit(ROWS), ROWS),
        (IsolationForest(n_estimators=5).fit(ROWS[:199]), ROWS[:199]),
        (IsolationForest(n_estimators=5).fit(ROWS), ROWS[:500]),
        (IsolationForest(n_estimators=5).fit(ROWS), ROWS + 1),
        (IsolationForest(n_estimators=5).fit(np.zeros((300, 4))), np.zeros((100, 4))),
        (IsolationForest(max_samples=1, n_estimators=5).fit(ROWS), ROWS),
    ],
    ids=["all rows seen", "199 rows", "fewer rows", "other values", "fewer constant rows", "trees of one row"],
)
def test_nothing_is_claimed_without_the_rows_of_the_trees(estimator, rows):
    """None, where there are too few rows, or the forest was fitted on others."""
    assert score_out_of_bag(estimator, compile_forest(estimator), rows) is None
