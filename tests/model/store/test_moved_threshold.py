"""Moving a threshold: a new version with the same forest, in seconds and without scikit-learn."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from app.drift.calibration import OUTLIER_RATE, Calibration
from app.drift.outlier_share import recalibrate
from app.errors import InvalidChoice
from app.model.bundle import DRIFT_FILE, REFERENCE_FILE, Bundle, find_problems, read_bundle
from app.model.store.moved_threshold import move_threshold
from app.model.store.store import ModelStore
from app.model.threshold_choice import TrainingScores, find_threshold_of_p_value, p_value_of
from app.model.version_log import read_changes
from tests.model.format_1 import rewrite_as_format_1
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset
from training.drift.calibrate import DriftParameters

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a bundle with out-of-bag scores and drift detectors, once."""
    rows = np.random.default_rng(1).normal(size=(4100, 2))
    estimator = IsolationForest(n_estimators=10, contamination=0.1, random_state=1).fit(rows)
    data = Dataset(("mean", "sd"), rows, Path("rows.csv"), "0" * 64, ("mean", "sd"))
    models = tmp_path_factory.mktemp("moved") / "models"
    write_bundle(models, TrainedModel("credits", estimator, data), drift=DriftParameters(300, 10))
    return models


@pytest.fixture
def store(written: Path, tmp_path: Path) -> ModelStore:
    """Return a store with that bundle, which is live."""
    shutil.copytree(written, tmp_path / "models", symlinks=True)
    return ModelStore(tmp_path / "models")


@pytest.fixture
def live(store: ModelStore) -> Bundle:
    """Return the live bundle."""
    return read_bundle((store.folder / "current").resolve())


def test_moved_version_labels_as_scikit_learn_with_that_offset(store: ModelStore, live: Bundle):
    """Scores are the same; the version is sound, not live, and says where it comes from."""
    score = float(np.quantile(TrainingScores.read(live.folder / REFERENCE_FILE).scores, 0.02))
    moved = read_bundle(move_threshold(store, live, score, recalibrate).folder)

    rows = np.random.default_rng(2).normal(size=(3000, 2)) * 2
    scores, labels = moved.forest.score_and_label(rows)
    assert scores.tolist() == live.forest.score(rows).tolist()
    assert labels.tolist() == np.where(scores < score, -1, 1).tolist()
    assert (labels == -1).any()
    assert find_problems(moved.folder) == []
    assert store.live_version() == live.version != moved.version
    assert moved.version[-8:] == live.version[-8:]
    training = moved.manifest["training"]
    assert training["flagged_share"] == training["flagged_rows"] / 4100 < 0.05
    assert moved.manifest["moved_threshold"]["from_version"] == live.version
    assert (moved.folder / "model.joblib").read_bytes() == (live.folder / "model.joblib").read_bytes()
    for page in ("report.html", "model_card.md"):
        assert f"The threshold was moved to {score:.6g} later" in (moved.folder / page).read_text(encoding="utf-8")


def test_moved_version_monitors_its_own_share_of_outliers(store: ModelStore, live: Bundle):
    """With the same threshold the detector stays as training calibrated it; with another one it changes."""

    def read(folder: Path) -> Calibration:
        return Calibration.read(folder / DRIFT_FILE, folder / REFERENCE_FILE)

    before = read(live.folder)
    same = read(move_threshold(store, live, live.forest.offset, recalibrate).folder)
    stricter = read(move_threshold(store, live, -0.75, recalibrate).folder)

    line = before.thresholds[OUTLIER_RATE].lines[-1]
    assert same.thresholds[OUTLIER_RATE].lines[-1] == pytest.approx(line, rel=0.1)
    assert stricter.training_outlier_share < before.training_outlier_share
    assert stricter.thresholds[OUTLIER_RATE].lines[-1] < line
    assert stricter.thresholds["mmd"].lines.tolist() == before.thresholds["mmd"].lines.tolist()


def test_the_change_is_logged(store: ModelStore, live: Bundle):
    """With who, when, from and to, for the audit trail."""
    moved = move_threshold(store, live, -0.7, recalibrate)

    change = read_changes(store.folder)[-1]
    assert (change.what, change.before, change.after) == ("threshold", live.version, moved.folder.name)
    assert change.note == f"the threshold was moved from {live.forest.offset!r} to -0.7"
    assert change.who == moved.manifest["moved_threshold"]["moved_by"]


def test_contamination_means_what_it_means_in_training(live: Bundle):
    """The threshold is that of scikit-learn, to the last bit."""
    scores = TrainingScores.read(live.folder / REFERENCE_FILE)
    all_scores = np.repeat(scores.scores, scores.counts)
    for share in (0.0001, 0.001, 0.0123, 0.1, 0.25, 0.5):
        assert scores.find_threshold(share) == np.percentile(all_scores, 100.0 * share)
    with pytest.raises(InvalidChoice, match=r"contamination 0\.6 is out of range"):
        scores.find_threshold(0.6)


def test_p_value_flags_so_many_training_rows(live: Bundle):
    """At most, by their out-of-bag scores; the smallest possible one is named in the refusal of a smaller one."""
    out_of_bag = live.out_of_bag
    assert out_of_bag is not None
    n_rows = int(out_of_bag.counts.sum())
    for p_value in (0.001, 0.01, 1 / (n_rows + 1)):
        threshold = find_threshold_of_p_value(out_of_bag, p_value)
        assert (p_value_of(out_of_bag, threshold) or 1) <= p_value * (1 + 1e-9)
        higher = np.nextafter(threshold, 0)
        assert (1 + out_of_bag.counts[out_of_bag.scores < higher].sum()) / (n_rows + 1) > p_value
    with pytest.raises(InvalidChoice, match=f"use {1 / (n_rows + 1):.6g} or more"):
        find_threshold_of_p_value(out_of_bag, 0.9 / (n_rows + 1))
    with pytest.raises(InvalidChoice, match="has no out-of-bag scores"):
        find_threshold_of_p_value(None, 0.01)


def test_what_cannot_be_moved_is_refused(store: ModelStore, live: Bundle):
    """Scores out of range, and bundles of format 1; the store stays as it was."""
    before = store.versions()
    with pytest.raises(InvalidChoice, match="scores are between -1 and 0"):
        move_threshold(store, live, 0.5, recalibrate)
    rewrite_as_format_1(live.folder)
    with pytest.raises(InvalidChoice, match="format 1, whose threshold cannot be moved: train again"):
        move_threshold(store, read_bundle(live.folder), -0.7, recalibrate)
    assert store.versions() == before


def test_scikit_learn_is_not_needed():
    """The service can move thresholds and promote, too."""
    code = (
        "import sys, app.model.store.moved_threshold, app.model.store.promotion_rules, app.drift.outlier_share;"
        "print(*(name for name in ('sklearn', 'pandas', 'scipy', 'joblib') if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
