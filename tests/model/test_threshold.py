"""Labels are decided on sums of path lengths, with scikit-learn's result on every processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from app.errors import InvalidBundle
from app.model.bundle import FOREST_FILE, read_bundle, write_forest_arrays
from app.model.forest import SCORE_TOLERANCE, Threshold
from app.model.forest_arrays import ForestArrays
from app.model.kernels import NumpyKernel
from tests.model.format_1 import rewrite_as_format_1
from tests.model.serve_grid import serve_grid
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset
from training.fitting.compile import compile_forest

REPOSITORY = Path(__file__).parent.parent.parent

# Few distinct values, so that many rows have the score of the threshold.
ROWS = np.random.default_rng(5).choice([-0.158, -0.1353, 0.0, 0.5, 0.7, 3.1, 66.3], (3000, 2)).astype(np.float32)
CONTAMINATIONS = np.arange(1, 500) / 1000

# What NumPy compiles several versions of its functions for; a processor without one of them makes no difference here.
FEATURE_SETS = ("AVX512_SPR AVX512_ICL", "AVX512_SPR AVX512_ICL X86_V4", "AVX512_SPR AVX512_ICL X86_V4 X86_V3")


def round_differently(base, exponents, power=np.power):
    """Compute powers as another processor could: every third differs in the last bit."""
    powers = np.asarray(power(base, exponents))
    bits = powers.view(np.int64)
    return (bits + np.array([0, 1, -1])[bits // 7 % 3]).view(np.float64)


@pytest.fixture(scope="module")
def grid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A forest, and for each contamination its threshold and scikit-learn's answers to all distinct rows."""
    folder = tmp_path_factory.mktemp("grid")
    estimator = IsolationForest(n_estimators=10, random_state=1).fit(ROWS)
    arrays = compile_forest(estimator).arrays
    distinct, counts = np.unique(ROWS, axis=0, return_counts=True)
    scores, sums = estimator.score_samples(distinct), NumpyKernel(arrays).sum_path_lengths(distinct)
    cases = []
    for contamination in CONTAMINATIONS:
        # As in scikit-learn's fit and predict.
        offset = float(np.percentile(np.repeat(scores, counts), 100.0 * contamination))
        labels = np.where(scores - offset < 0, -1, 1)
        golden = {"rows": distinct.tolist(), "anomaly_score": scores.tolist(), "is_inlier": labels.tolist()}
        cases.append({"threshold": asdict(Threshold.find(offset, arrays, sums, labels)), "golden": golden})
    write_forest_arrays(folder / FOREST_FILE, arrays)
    (folder / "cases.json").write_text(json.dumps(cases))
    return folder


@pytest.mark.parametrize("features", FEATURE_SETS)
def test_every_threshold_serves_on_other_processors(grid: Path, features: str):
    """499 contaminations, with the functions that NumPy uses on older processors."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.model.serve_grid", grid],
        cwd=REPOSITORY,
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": features},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_threshold_serves_where_powers_round_differently(grid: Path, monkeypatch: pytest.MonkeyPatch):
    """Also on a machine for which the processors above make no difference."""
    monkeypatch.setattr(np, "power", round_differently)
    exponents = np.linspace(-1, 0, 1000)
    assert (np.power(2, exponents) != 2**exponents).sum() > 300

    serve_grid(grid)


def test_training_labels_are_scikit_learns_where_powers_are_not_monotonic(monkeypatch: pytest.MonkeyPatch):
    """A threshold is moved to the training rows if bisection ends on the wrong side of some."""
    estimator = IsolationForest(n_estimators=20, contamination=0.1, random_state=1).fit(ROWS)
    arrays = compile_forest(estimator).arrays
    sums = np.unique(NumpyKernel(arrays).sum_path_lengths(ROWS))
    border = sums[len(sums) // 3]
    score = float(-np.power(2, border / -arrays.path_length_scale))

    for label, expected in ((1, border), (-1, np.nextafter(border, np.inf))):
        for power in (np.power, round_differently):
            monkeypatch.setattr(np, "power", power)
            found = Threshold.find(score, arrays, sums, np.where(sums == border, label, np.where(sums < border, -1, 1)))
            assert found.path_length_sum == pytest.approx(expected, rel=1e-12)
            assert (border < found.path_length_sum) == (label == -1)
            found.check(arrays)


@pytest.mark.parametrize("score", [-1.0, -0.99, -0.6123, -0.5, -1e-9, 0.0])
def test_threshold_is_the_smallest_sum(small_forest: ForestArrays, score: float):
    """The sum below it has a score below the threshold."""
    found = Threshold.find(score, small_forest)

    found.check(small_forest)
    scale = float(small_forest.path_length_scale)
    if score == -1:
        assert found.path_length_sum == 0
    elif score < 0:
        assert -np.power(2, found.path_length_sum / -scale) >= score
        assert -np.power(2, np.nextafter(found.path_length_sum, 0) / -scale) < score


@pytest.mark.parametrize(("score", "label"), [(-0.5, 1), (-0.7, 1), (-0.4, -1)])
def test_trees_of_one_row_label_all_rows_alike(score: float, label: int):
    """All scores are -0.5."""
    estimator = IsolationForest(n_estimators=3, max_samples=1, random_state=1).fit(ROWS)
    estimator.offset_ = score

    assert set(compile_forest(estimator, ROWS).score_and_label(ROWS)[1].tolist()) == {label}


@pytest.fixture(scope="module")
def small_forest() -> ForestArrays:
    """The arrays of a few trees."""
    return compile_forest(IsolationForest(n_estimators=5, random_state=1).fit(ROWS)).arrays


@pytest.mark.parametrize("change", [1e-9, -1e-9])
def test_threshold_of_another_score_is_refused(small_forest: ForestArrays, change: float):
    """Two thresholds that differ by more than rounding would make score and label contradict each other."""
    found = Threshold.find(-0.55, small_forest)
    with pytest.raises(InvalidBundle, match="is not that of the score"):
        Threshold(found.score + change, found.path_length_sum).check(small_forest)


def test_bundle_of_format_1_serves_where_powers_round_differently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It has its threshold as a score only; the labels of its golden rows show the side of rows with that score."""
    data = Dataset(("a", "b"), ROWS.astype(np.float64), Path("rows.csv"), "0" * 64, ("a", "b"))
    estimator = IsolationForest(n_estimators=20, contamination=0.1, random_state=1).fit(ROWS)
    folder = write_bundle(tmp_path / "models", TrainedModel("credits", estimator, data)).folder
    rewrite_as_format_1(folder)
    expected = estimator.predict(ROWS)

    monkeypatch.setattr(np, "power", round_differently)
    forest = read_bundle(folder).forest

    scores, labels = forest.score_and_label(ROWS)
    assert np.array_equal(labels, expected)
    assert (np.abs(scores - estimator.offset_) <= SCORE_TOLERANCE).any()
