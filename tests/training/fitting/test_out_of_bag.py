"""Out-of-bag scores come from the trees that did not see a row, and only if it is sure which these are."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from training.fitting.compile import compile_forest
from training.fitting.fit import ForestParameters, fit
from training.fitting.out_of_bag import grow_more_trees, score_out_of_bag

pytestmark = pytest.mark.usefixtures("all_trees")

ROWS = np.random.default_rng(1).normal(size=(1000, 4))


def score_with_unseeing_trees(estimator: IsolationForest, more: IsolationForest | None, rows: np.ndarray) -> np.ndarray:
    """Score each row with a forest of as many trees that did not see it, by scikit-learn's own functions."""
    single = rows.astype(np.float32)
    paths, n_trees = np.zeros(len(rows)), np.zeros(len(rows))
    for fitted in (estimator, *([more] if more else [])):
        forest = zip(fitted.estimators_, fitted.estimators_features_, fitted.estimators_samples_, strict=True)
        for number, (tree, features, drawn) in enumerate(forest):
            unseen = np.setdiff1d(np.arange(len(rows)), drawn)
            unseen = unseen[n_trees[unseen] < len(estimator.estimators_)]
            if not len(unseen):
                continue
            leaves = tree.apply(single[unseen][:, features])
            depths = fitted._decision_path_lengths[number][leaves]
            paths[unseen] += depths + fitted._average_path_length_per_tree[number][leaves] - 1.0
            n_trees[unseen] += 1
    n = estimator.max_samples_
    average = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
    is_scored = n_trees > 0
    return np.sort(-(2 ** -(paths[is_scored] / n_trees[is_scored] / average)))


def count_lacking(estimator: IsolationForest, more: IsolationForest, n_rows: int) -> int:
    """Count the rows that fewer trees did not see than the first forest has."""
    n_unseen_by = np.zeros(n_rows)
    for drawn in (*estimator.estimators_samples_, *more.estimators_samples_):
        n_unseen_by[np.setdiff1d(np.arange(n_rows), drawn)] += 1
    return int((n_unseen_by < len(estimator.estimators_)).sum())


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
    expected = score_with_unseeing_trees(estimator, grow_more_trees(estimator, ROWS.astype(np.float32)), ROWS)
    assert np.repeat(scored.scores, scored.counts) == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("bootstrap", [False, True])
def test_every_row_is_scored_by_as_many_trees_as_the_forest_has(bootstrap):
    """Whatever share of the rows a tree draws; they are other trees than those of the forest."""
    estimator = fit(ROWS, ForestParameters(n_estimators=50, bootstrap=bootstrap, random_state=2**32 - 1))

    more = grow_more_trees(estimator, ROWS.astype(np.float32))

    assert more.random_state == 0
    assert len(more.estimators_) < 60
    assert count_lacking(estimator, more, 1000) == 0
    few = fit(ROWS[:260], ForestParameters(n_estimators=5))
    assert len(grow_more_trees(few, ROWS[:260].astype(np.float32)).estimators_) == 50
    assert grow_more_trees(fit(ROWS[:256], ForestParameters(n_estimators=5)), ROWS[:256].astype(np.float32)) is None


def test_rows_that_no_tree_saw_have_the_score_of_the_forest():
    """To the last bit, so that a new row with the same values ties with it."""
    estimator = fit(ROWS, ForestParameters(n_estimators=1))

    scored = score_out_of_bag(estimator, compile_forest(estimator), ROWS)

    unseen = np.setdiff1d(np.arange(1000), estimator.estimators_samples_[0])
    assert set(estimator.score_samples(ROWS[unseen]).tolist()) <= set(scored.scores.tolist())


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
