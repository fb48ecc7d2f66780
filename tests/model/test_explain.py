"""Explanations equal what brute force computes over all subsets of features and all thresholds."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from math import factorial
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from app.errors import CannotExplain
from app.model.bundle import Bundle
from app.model.explain_kernels import CompiledExplainKernel, NumpyExplainKernel
from app.model.explain_trees import ExplainTrees
from app.model.forest import INLIER, OUTLIER
from app.model.out_of_bag import OutOfBagScores
from app.model.quantiles import ColumnQuantiles
from app.model.schema import QUANTILE_LEVELS, Features, describe_columns
from training.fitting.compile import compile_forest
from training.fitting.out_of_bag import score_out_of_bag

pytestmark = pytest.mark.usefixtures("all_trees")


def make_bundle(estimator: IsolationForest, rows: np.ndarray, out_of_bag: OutOfBagScores | None = None) -> Bundle:
    """Return the model as a service would load it."""
    names = tuple(f"x{number}" for number in range(rows.shape[1]))
    return Bundle(
        folder=Path(),
        name="test",
        version="20260101T000000Z-00000000",
        trained_at=datetime.now(UTC),
        features=Features.of(names, np.nan_to_num(rows)),
        forest=compile_forest(estimator),
        confidence=None,
        out_of_bag=out_of_bag,
        manifest={"version": "20260101T000000Z-00000000", **describe_columns(names, rows)},
    )


def fit_random_forest(seed: int, max_features: int = 8) -> tuple[IsolationForest, np.ndarray]:
    """Fit a small forest of random shape: ties, missing values, bootstrap, few features a tree, trees of one node."""
    random = np.random.default_rng(seed)
    n_rows, n_features = int(random.integers(3, 120)), int(random.integers(1, max_features + 1))
    rows = random.normal(size=(n_rows, n_features))
    if seed % 3 == 0:
        rows = np.round(rows, 1)
    if seed % 4 == 1:
        rows[random.random(rows.shape) < 0.15] = np.nan
    if seed % 10 == 9:
        rows[1:] = rows[0]  # no row differs: every tree is one node
    rows = rows.astype(np.float32).astype(np.float64)
    estimator = IsolationForest(
        n_estimators=int(random.integers(1, 8)),
        max_samples=min(n_rows, int(random.integers(2, 65))),
        bootstrap=bool(seed % 2),
        max_features=1.0 if seed % 5 else 0.5,
        contamination=float(random.choice([0.05, 0.3])),
        random_state=seed,
    )
    return estimator.fit(rows), rows


def shapley_by_brute_force(estimator: IsolationForest, row: np.ndarray, path_lengths: np.ndarray) -> np.ndarray:
    """Compute Shapley values of the sum of path lengths from scikit-learn's trees, over all subsets of features.

    ``path_lengths`` are those of all nodes, tree after tree.
    """
    n_features = len(row)
    subsets = np.arange(2**n_features)
    worth = np.zeros(2**n_features)
    first = 0
    for fitted, columns in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        tree = fitted.tree_

        def expect(node, tree=tree, columns=columns, first=first):
            left, right = tree.children_left[node], tree.children_right[node]
            if left == -1:
                return np.full(2**n_features, path_lengths[first + node])
            feature = columns[tree.feature[node]]
            value = np.float32(row[feature])
            goes_left = tree.missing_go_to_left[node] if np.isnan(value) else value <= tree.threshold[node]
            on_left, on_right = expect(left), expect(right)
            share = tree.weighted_n_node_samples[left] / tree.weighted_n_node_samples[node]
            is_known = (subsets >> feature) & 1 == 1
            return np.where(is_known, on_left if goes_left else on_right, share * on_left + (1 - share) * on_right)

        worth += expect(0)
        first += tree.node_count
    sizes = np.array([int(subset).bit_count() for subset in subsets])
    values = np.zeros(n_features)
    for feature in range(n_features):
        without = subsets[(subsets >> feature) & 1 == 0]
        weights = [factorial(size) * factorial(n_features - size - 1) for size in sizes[without]]
        gained = worth[without | (1 << feature)] - worth[without]
        values[feature] = (np.array(weights) / factorial(n_features) * gained).sum()
    return values


def position(values: list[float], number: float) -> float:
    """Return where a number lies in training, in quantiles and, beyond the range, in widths of it."""
    width = values[-1] - values[0] or 1.0
    beyond = max(number - values[-1], 0) / width - max(values[0] - number, 0) / width
    return float(np.interp(number, values, QUANTILE_LEVELS)) + beyond


def find_by_brute_force(bundle: Bundle, row: np.ndarray) -> float:
    """Return the distance of the smallest change of one column that gives an inlier, over all thresholds."""
    arrays, closest = bundle.forest.arrays, np.inf
    for feature, column in enumerate(bundle.manifest["columns"]):
        values, own = column["quantiles"], float(row[feature])
        at = 0.5 if np.isnan(own) else position(values, own)
        thresholds = np.unique(arrays.threshold[~arrays.is_leaf() & (arrays.feature == feature)]).astype(np.float32)
        beside = [np.nextafter(thresholds, np.float32(side)) for side in (-np.inf, np.inf)]
        median = [np.float32(np.interp(0.5, QUANTILE_LEVELS, values))] if np.isnan(own) else []
        tried = np.concatenate([thresholds, *beside, median]).astype(np.float32)
        changed = np.repeat(row[None].astype(np.float32), len(tried), axis=0)
        changed[:, feature] = tried
        labels = bundle.forest.score_and_label(changed)[1]
        for value in tried[labels == INLIER].tolist():
            closest = min(closest, abs(position(values, value) - at) + np.isnan(own))
    return closest


@pytest.mark.timeout(1800)  # the long run takes about ten minutes
def test_contributions_equal_brute_force(library: Path, is_long: bool):
    """Both kernels, up to eight features; with the baseline they add up to log2(-score)."""
    for seed in range(1000 if is_long else 100):
        estimator, rows = fit_random_forest(seed, max_features=8 if is_long else 6)
        bundle = make_bundle(estimator, rows)
        trees = ExplainTrees.of(bundle.forest.arrays)
        # Five rows: side by side, and one that remains.
        asked = np.concatenate([rows[:3], rows[:2] * 3]).astype(np.float32)
        expected = [shapley_by_brute_force(estimator, row, bundle.forest.arrays.path_length) for row in asked]
        for kernel in (CompiledExplainKernel(trees, library), NumpyExplainKernel(trees)):
            assert np.allclose(kernel.shapley_values(asked), expected, rtol=0, atol=1e-9), (seed, kernel)
        explainer = bundle.explainer
        sums = explainer.contributions(asked).sum(axis=1) + explainer.baseline
        assert np.allclose(sums, np.log2(-bundle.forest.score(asked)), rtol=0, atol=1e-12), seed


@pytest.mark.parametrize("n_features", [31, 32, 33, 256])
def test_kernels_agree_for_many_features(library: Path, n_features: int):
    """Beyond 31 features the C kernel's bits are shared, and paths have many quadrature points."""
    rows = np.random.default_rng(0).normal(size=(300, n_features)).astype(np.float32)
    trees = ExplainTrees.of(
        compile_forest(IsolationForest(n_estimators=3, max_samples=300, random_state=0).fit(rows)).arrays
    )
    compiled, plain = CompiledExplainKernel(trees, library), NumpyExplainKernel(trees)
    assert np.allclose(compiled.shapley_values(rows[:9]), plain.shapley_values(rows[:9]), rtol=0, atol=1e-11)
    assert np.allclose(compiled.gains(rows[0]), plain.gains(rows[0]), rtol=0, atol=1e-9)


@pytest.mark.timeout(1800)
def test_no_smaller_change_of_one_column_exists(is_long: bool):
    """The counterfactual is an inlier, and as close as the best of all thresholds; None if no threshold helps."""
    n_checked = 0
    for seed in range(600 if is_long else 80):
        estimator, rows = fit_random_forest(seed)
        bundle = make_bundle(estimator, rows)
        explainer = bundle.explainer
        far = np.concatenate([rows, rows[:5] * 4]).astype(np.float32)
        outliers = far[bundle.forest.score_and_label(far)[1] == OUTLIER][:4]
        for row in outliers:
            best = find_by_brute_force(bundle, row)
            explained = explainer.explain(row.tolist(), float(bundle.forest.score(row[None])[0]))
            found = explained.counterfactual
            if found is None or explained.is_approximate:
                assert best == np.inf, (seed, row)
            if found is None:
                assert "no change of one column" in explained.notes["counterfactual"]
                continue
            changed, distance = row.tolist(), 0.0
            for name, change in found.items():
                column = int(name[1:])
                values, own = bundle.manifest["columns"][column]["quantiles"], float(row[column])
                at = 0.5 if np.isnan(own) else position(values, own)
                distance += abs(position(values, change["to"]) - at) + np.isnan(own)
                assert change["from"] is None if np.isnan(own) else change["from"] == own
                changed[column] = change["to"]
            assert bundle.forest.score_and_label([changed])[1] == [INLIER], (seed, row)
            if not explained.is_approximate:
                assert len(found) == 1
                assert distance == pytest.approx(best, abs=1e-6), (seed, row)
            n_checked += 1
    assert n_checked > 40


def test_change_of_two_columns_is_called_approximate():
    """Two planted columns: neither change alone suffices."""
    random = np.random.default_rng(5)
    rows = random.normal(size=(2000, 2)).astype(np.float32)
    bundle = make_bundle(IsolationForest(contamination=0.3, random_state=0).fit(rows), rows)
    explained = bundle.explainer.explain([8.0, -8.0], float(bundle.forest.score([[8.0, -8.0]])[0]))
    assert explained.is_approximate
    assert set(explained.counterfactual) == {"x0", "x1"}
    changed = [explained.counterfactual[name]["to"] for name in ("x0", "x1")]
    assert bundle.forest.score_and_label([changed])[1] == [INLIER]


@pytest.mark.parametrize(("n_features", "least"), [(2, 0.99), (10, 0.9)])
def test_planted_column_has_the_largest_contribution(n_features: int, least: float):
    """One column at six standard deviations; benchmarks/explanations has the figures over many forests."""
    random = np.random.default_rng(n_features)
    rows = random.normal(size=(4000, n_features))
    explainer = make_bundle(IsolationForest(random_state=0).fit(rows), rows).explainer
    planted = random.normal(size=(300, n_features))
    columns = random.integers(n_features, size=len(planted))
    planted[np.arange(len(planted)), columns] = random.choice([-6.0, 6.0], len(planted))
    contributions = explainer.contributions(planted.astype(np.float32))
    assert (contributions.argmax(axis=1) == columns).mean() >= least


def test_reasons_are_in_order_and_in_words():
    """Only columns that make the row more abnormal, the largest first."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(3000, 5)).astype(np.float32)
    bundle = make_bundle(IsolationForest(random_state=0).fit(rows), rows)
    explained = bundle.explainer.explain([0.0, 9.0, 0.1, -2.5, 0.0], -0.6)
    order = sorted(explained.contributions, key=explained.contributions.get, reverse=True)
    assert order[:2] == ["x1", "x3"]
    assert explained.reasons[:2] == [
        "x1 = 9 is higher than all training rows",
        "x3 = -2.5 is lower than 99 % of training rows",
    ]
    assert len(explained.reasons) == min(3, sum(value > 0 for value in explained.contributions.values()))


def test_inlier_has_no_counterfactual_and_says_why():
    """Nothing has to change."""
    rows = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    bundle = make_bundle(IsolationForest(n_estimators=10, contamination=0.05, random_state=0).fit(rows), rows)
    explained = bundle.explainer.explain([0.0, 0.0], -0.4)
    assert explained.counterfactual is None
    assert explained.notes["counterfactual"] == "the row is an inlier already"


def test_p_value_counts_equal_scores_as_equally_abnormal():
    """(1 + k) / (1 + n), with k rows at least as abnormal."""
    rows = np.random.default_rng(0).normal(size=(500, 2)).astype(np.float32)
    estimator = IsolationForest(n_estimators=10, random_state=0).fit(rows)
    counted = OutOfBagScores(np.array([-0.7, -0.6, -0.5]), np.array([1, 4, 295]))
    explainer = make_bundle(estimator, rows, counted).explainer
    assert explainer.explain([0.0, 0.0], -0.8).p_value == 1 / 301
    assert explainer.explain([0.0, 0.0], -0.6).p_value == 6 / 301
    assert explainer.explain([0.0, 0.0], -0.1).p_value == 1
    unknown = make_bundle(estimator, rows).explainer.explain([0.0, 0.0], -0.8)
    assert unknown.p_value is None
    assert "out-of-bag" in unknown.notes["p_value"]


@pytest.mark.timeout(1800)
def test_p_values_of_ordinary_rows_are_uniform(is_long: bool):
    """At the level of 1 %, about 1 % of held-out rows are below, on average over trainings."""
    for n_rows, trainings, low, high in [(10_000, 200, 0.0095, 0.0105)] if is_long else [(1000, 12, 0.006, 0.012)]:
        shares = []
        for seed in range(trainings):
            random = np.random.default_rng(seed)
            drawn = random.normal(size=(n_rows + 5000, 10)) + 4 * random.integers(2, size=(n_rows + 5000, 1))
            rows, held_out = drawn[:n_rows], drawn[n_rows:]
            estimator = IsolationForest(n_estimators=100 if is_long else 50, random_state=seed).fit(rows)
            forest = compile_forest(estimator)
            out_of_bag = score_out_of_bag(estimator, forest, rows)
            counted = np.array([out_of_bag.count_up_to(score) for score in forest.score(held_out).tolist()])
            shares.append(np.mean((1 + counted[:, 1]) / (1 + counted[:, 0]) <= 0.01))
        assert low <= np.mean(shares) <= high


def test_bundle_of_format_1_cannot_explain():
    """The error says what to do."""
    rows = np.random.default_rng(0).normal(size=(50, 2))
    bundle = make_bundle(IsolationForest(n_estimators=2, random_state=0).fit(rows), rows)
    arrays = dataclasses.replace(bundle.forest.arrays, weighted_n_node_samples=None, n_node_samples=None)
    old = dataclasses.replace(bundle, forest=type(bundle.forest)(arrays, bundle.forest.threshold))
    with pytest.raises(CannotExplain, match="format 1: train or import again"):
        old.explainer  # noqa: B018


def test_explainer_is_built_once():
    """Each worker needs it only when somebody asks."""
    rows = np.random.default_rng(0).normal(size=(50, 2))
    bundle = make_bundle(IsolationForest(n_estimators=2, random_state=0).fit(rows), rows)
    assert bundle.explainer is bundle.explainer


def test_largest_training_value_is_not_beyond_training():
    """Records and files are explained from float32, whose shortest text may be larger than the number in training."""
    column = ColumnQuantiles("x", 0.0, np.array([0.0, 1.0]), np.array([0.0, 3.1257302210933933]))
    shortened = float(str(np.float32(3.1257302210933933)))
    assert shortened > 3.1257302210933933

    assert "all training rows" not in column.describe(shortened)
    assert "all training rows" in column.describe(float(np.nextafter(np.float32(3.1257302210933933), np.float32(4))))
