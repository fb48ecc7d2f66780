"""Fitting in batches gives the same forest as a single fit."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from training.data.dataset import read_training_data
from training.fitting.compile import compile_forest
from training.fitting.evaluate import evaluate
from training.fitting.fit import AUTO_TREES, ForestParameters, fit, fit_until_agreed

ROWS = np.random.default_rng(1).normal(size=(400, 3))


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"n_estimators": 1},
        {"n_estimators": 47, "contamination": 0.05},
        {"n_estimators": 30, "bootstrap": True, "max_features": 0.5, "max_samples": 60, "random_state": 2**32 - 1},
    ],
)
def test_batches_equal_a_single_fit(chosen: dict[str, Any]):
    """In every attribute, private ones included: the digests of the pickled estimators are equal."""
    parameters = ForestParameters(**chosen)
    single = IsolationForest(**{"random_state": 16} | chosen).fit(ROWS.astype(np.float32))

    estimator = fit(ROWS, parameters)

    assert estimator.get_params() == single.get_params()
    assert estimator.offset_ == single.offset_
    assert joblib.hash(estimator.estimators_samples_) == joblib.hash(single.estimators_samples_)
    assert joblib.hash(estimator.__getstate__()) == joblib.hash(single.__getstate__())


@pytest.mark.parametrize("n_trees", [1, 19, 100, 101])
def test_progress_ends_with_all_trees(n_trees):
    """Each reported number is larger than the one before."""
    reports: list[int] = []

    fit(ROWS, ForestParameters(n_estimators=n_trees), reports.append)

    assert reports == sorted(set(reports))
    assert reports[-1] == n_trees
    assert len(reports) >= min(n_trees, 20)


def test_real_sample_with_automatic_contamination(real_training_csv):
    """84.26 % of the real training rows are inliers."""
    rows = read_training_data(real_training_csv).rows

    evaluation = evaluate(compile_forest(fit(rows, ForestParameters())), rows)

    assert round(evaluation.inlier_share, 4) == 0.8426


def test_real_sample_with_a_contamination_of_one_in_a_thousand(real_training_csv):
    """61 of 64,227 rows are below exactly the offset that scikit-learn learns."""
    rows = read_training_data(real_training_csv).rows

    forest = compile_forest(fit(rows, ForestParameters(contamination=0.001)))
    evaluation = evaluate(forest, rows)

    assert forest.offset == -0.8494233081442876
    assert (evaluation.n_flagged, len(evaluation)) == (61, 64_227)


@pytest.mark.long
def test_trees_grow_until_two_halves_agree():
    """The forest is that of a single fit with as many trees, and of the seed alone."""
    rows = np.random.default_rng(3).standard_t(2, size=(600, 2))
    parameters = ForestParameters(contamination=0.1, random_state=5)

    estimator, curve = fit_until_agreed(rows, parameters)

    n_trees = len(estimator.estimators_)
    assert [n for n, _ in curve] == [n for n in AUTO_TREES if n <= n_trees]
    agreements = [agreement or 0.0 for _, agreement in curve]
    assert max(agreements[:-1], default=0.0) < 0.95
    assert agreements[-1] >= 0.95 or n_trees == AUTO_TREES[-1]
    single = IsolationForest(n_estimators=n_trees, contamination=0.1, random_state=5).fit(rows.astype(np.float32))
    assert estimator.get_params() == single.get_params()
    assert estimator.offset_ == single.offset_
    assert joblib.hash(estimator.estimators_samples_) == joblib.hash(single.estimators_samples_)
