"""The compiled forest equals scikit-learn, for all rows, however the forest was grown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from app.model.forest import Forest
from app.model.kernels import NumpyKernel
from training.fitting.compile import compile_forest

SCORE_TOLERANCE = 1e-12


def make_rows(random: np.random.Generator, n_rows: int, n_features: int, kind: str) -> NDArray[np.float32]:
    """Generate training rows: spread out, on a few points, all equal, or over all of float32."""
    shape = (n_rows, n_features)
    match kind:
        case "spread":
            return random.normal(size=shape).astype(np.float32)
        case "atoms":
            return random.choice(np.array([-0.158, -0.1353, 0.0, 0.5, 66.3], np.float32), shape)
        case "constant":
            return np.full(shape, 7.5, np.float32)
        case _:
            signs = random.choice([-1, 1], shape)
            return (signs * 10.0 ** random.uniform(-38, 38, shape)).astype(np.float32)


def rows_at_thresholds(
    forest: Forest, random: np.random.Generator, n_rows: int, background: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Place values exactly on thresholds of their feature, and one float32 to either side."""
    rows = background[random.integers(len(background), size=n_rows)].copy()
    inner = np.flatnonzero(~forest.arrays.is_leaf())
    if inner.size:
        nodes = random.choice(inner, n_rows)
        value = forest.arrays.threshold[nodes].astype(np.float32)
        toward = random.choice(np.array([-np.inf, 0, np.inf], np.float32), n_rows)
        nudged = np.where(toward == 0, value, np.nextafter(value, toward))
        rows[np.arange(n_rows), forest.arrays.feature[nodes]] = np.nan_to_num(nudged)
    return rows


def assert_answers_are_scikit_learns(estimator: IsolationForest, forest: Forest, rows: NDArray[np.float32]) -> None:
    """Compare every label and every score."""
    scores, labels = forest.score_and_label(rows)
    assert labels.tolist() == estimator.predict(rows).tolist()
    assert np.abs(scores - estimator.score_samples(rows)).max() <= SCORE_TOLERANCE


@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["spread", "atoms", "constant", "float32"]),
    n_rows=st.integers(2, 300),
    n_features=st.one_of(st.integers(1, 8), st.sampled_from([64, 256])),
    n_trees=st.one_of(st.integers(1, 30), st.just(100)),
    max_features=st.sampled_from([1.0, 0.5, 0.01]),
    max_samples=st.sampled_from(["auto", 1, 2, 3]),
    bootstrap=st.booleans(),
    contamination=st.sampled_from(["auto", 0.001, 0.1, 0.5]),
)
@settings(max_examples=60)
def test_labels_and_scores_are_scikit_learns(
    seed, kind, n_rows, n_features, n_trees, max_features, max_samples, bootstrap, contamination
):
    """Training rows, other rows, and rows on the thresholds or a float32 beside them."""
    random = np.random.default_rng(seed)
    training_rows = make_rows(random, n_rows, n_features, kind)
    estimator = IsolationForest(
        n_estimators=n_trees,
        max_features=max_features,
        max_samples=min(max_samples, n_rows) if isinstance(max_samples, int) else max_samples,
        bootstrap=bootstrap,
        contamination=contamination,
        random_state=seed,
    ).fit(training_rows)
    forest = compile_forest(estimator)

    other_rows = make_rows(random, 50, n_features, "float32")
    on_thresholds = rows_at_thresholds(forest, random, 200, training_rows)
    for rows in (training_rows, other_rows, on_thresholds):
        assert_answers_are_scikit_learns(estimator, forest, rows)


@pytest.mark.parametrize("n_trees", [1, 1000])
def test_few_and_many_trees(n_trees):
    """One tree and a thousand."""
    random = np.random.default_rng(n_trees)
    rows = make_rows(random, 400, 3, "spread")
    estimator = IsolationForest(n_estimators=n_trees, contamination=0.05, random_state=1).fit(rows)

    assert_answers_are_scikit_learns(estimator, compile_forest(estimator), rows)


@pytest.mark.parametrize("kind", ["spread", "atoms"])
def test_scores_are_equal_to_the_last_bit(kind):
    """An offset is the score of a training row, so rows with that score need exactly the same bits."""
    rows = make_rows(np.random.default_rng(5), 5000, 3, kind)
    # Shallow trees end in leaves of many rows, whose path lengths are no round numbers.
    estimator = IsolationForest(n_estimators=200, contamination=0.1, random_state=16).fit(rows)

    forest = compile_forest(estimator)
    scores = Forest(forest.arrays, forest.threshold, NumpyKernel).score(rows)

    assert np.array_equal(scores, estimator.score_samples(rows))


@pytest.mark.parametrize(("max_features", "bootstrap"), [(1.0, False), (0.5, True)])
@pytest.mark.parametrize("in_training", [True, False])
def test_rows_with_missing_values_score_like_scikit_learns(max_features, bootstrap, in_training):
    """To the last bit in both kernels, for trees that saw missing values and for those that did not."""
    random = np.random.default_rng(7)
    rows = random.normal(size=(2000, 4)).astype(np.float32)
    with_missing = np.where(random.random(rows.shape) < 0.05, np.float32(np.nan), rows)
    training_rows = with_missing if in_training else rows
    estimator = IsolationForest(
        n_estimators=50, max_features=max_features, bootstrap=bootstrap, contamination=0.1, random_state=1
    ).fit(training_rows)
    compiled = compile_forest(estimator, training_rows)

    for forest in (compiled, Forest(compiled.arrays, compiled.threshold, NumpyKernel)):
        scores, labels = forest.score_and_label(with_missing)
        assert np.array_equal(scores, estimator.score_samples(with_missing))
        assert np.array_equal(labels, estimator.predict(with_missing))
        assert [forest.score_and_label_row(row) for row in with_missing[:50].tolist()] == list(
            zip(scores[:50].tolist(), labels[:50].tolist(), strict=True)
        )


@pytest.mark.parametrize("max_features", [1.0, 5 / 6, 1 / 6])
def test_trees_use_the_right_features_of_a_row(max_features):
    """Each feature has a scale of its own, so that a mistake shows immediately."""
    scales = 10.0 ** np.arange(6)
    rows = (np.random.default_rng(3).normal(size=(500, 6)) * scales).astype(np.float32)
    estimator = IsolationForest(max_features=max_features, random_state=3).fit(rows)

    assert_answers_are_scikit_learns(estimator, compile_forest(estimator), rows)
