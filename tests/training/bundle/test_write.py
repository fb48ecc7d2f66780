"""A bundle is complete, and a failed training leaves nothing of it behind."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from app.drift.calibration import Calibration
from app.errors import InvalidBundle, InvalidForest, ModelsNotWritable
from app.model.bundle import DRIFT_FILE, REFERENCE_FILE, find_problems, read_bundle, sha256_of
from app.model.forest import Forest, Threshold
from app.model.store.store import LOCK_FILE
from app.model.store.versions import HISTORY_FILE
from app.model.version_log import CHANGES_FILE
from training.bundle import write as module
from training.bundle.write import TrainedModel, WrittenBundle, write_bundle
from training.data.dataset import Dataset
from training.data.labels import Labels
from training.drift.calibrate import DriftParameters
from training.fitting.compile import compile_forest
from training.fitting.fit import ForestParameters, fit


@pytest.fixture(scope="module")
def bundle(small_model: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> WrittenBundle:
    """Return a bundle with a test set."""
    test = replace(small_model.training, rows=small_model.training.rows[:100] * 2, path=Path("test.csv"))
    return write_bundle(tmp_path_factory.mktemp("bundle") / "models", replace(small_model, test=test))


def test_bundle_is_complete_and_live(bundle: WrittenBundle):
    """The service accepts it, and every file matches the manifest."""
    assert sorted(file.name for file in bundle.folder.iterdir()) == [
        "boundary.png",
        "boundary_base.png",
        "boundary_test.png",
        "forest.npz",
        "importance.png",
        "manifest.json",
        "model.joblib",
        "model_card.md",
        "reference.npz",
        "report.html",
        "scores.png",
        "scores_test.png",
        "thresholds.png",
    ]
    assert find_problems(bundle.folder) == []
    assert read_bundle(bundle.folder.parent / "current").version == bundle.folder.name
    # The service may run as another user.
    assert bundle.folder.stat().st_mode & 0o055 == 0o055 & ~read_umask()


def read_umask() -> int:
    """Return the permissions that the system removes from new files."""
    os.umask(mask := os.umask(0o022))
    return mask


def test_manifest_describes_the_training(bundle: WrittenBundle, small_model: TrainedModel):
    """Everything in it is strict JSON."""
    manifest = json.loads((bundle.folder / "manifest.json").read_bytes())
    labels = small_model.estimator.predict(small_model.training.rows)

    assert manifest["parameters"] == small_model.estimator.get_params()
    assert manifest["offset_"] == manifest["threshold"]["score"] == small_model.estimator.offset_
    rows = small_model.training.rows
    for column, name, values in zip(manifest["columns"], ("mean", "sd"), rows.T, strict=True):
        assert (column["name"], column["kind"], column["share_missing"]) == (name, "number", 0)
        assert column["range"] == {"min": values.min(), "max": values.max()}
        quantiles = dict(zip(manifest["quantile_levels"], column["quantiles"], strict=True))
        assert (quantiles[0], quantiles[0.5], quantiles[1]) == (values.min(), np.sort(values)[149], values.max())
    assert manifest["encoding"] == [{"step": "identity", "columns": ["mean", "sd"]}]
    # Five trees of 256 of the 300 rows each: fewer than 200 rows were left out by one.
    assert manifest["has_out_of_bag_scores"] is True
    assert manifest["training"] == {
        "file": "rows.csv",
        "rows": 300,
        "sha256": "0" * 64,
        "columns": ["mean", "sd"],
        "label_column": None,
        "synthetic": False,
        "flagged_rows": int((labels == -1).sum()),
        "flagged_share": (labels == -1).mean(),
        "distinct_rows": 300,
        "doubts": [],
        "distinct_scores": len(np.unique(small_model.estimator.score_samples(small_model.training.rows))),
    }
    assert set(manifest["versions"]) == {"python", "numpy", "scikit_learn"}
    assert manifest["evaluation"]["train"]["flagged_rows"] == manifest["training"]["flagged_rows"]
    assert manifest["evaluation"]["test"]["file"] == "test.csv"
    assert manifest["evaluation"]["test"]["rows"] == 100
    assert len(manifest["golden"]["rows"]) == 32
    assert "labels" not in manifest["evaluation"]["train"]
    on_training, on_test = (manifest["evaluation"][name]["flagged_by_contamination"] for name in ("train", "test"))
    # Thresholds are learnt from training rows only.
    assert [row["threshold"] for row in on_test] == [row["threshold"] for row in on_training]
    auto = on_training[-1]
    assert auto == {
        "contamination": "auto",
        "threshold": -0.5,
        "flagged_rows": (small_model.estimator.score_samples(small_model.training.rows) < -0.5).sum(),
    }


def test_label_figures_equal_scikit_learns(tmp_path: Path, small_model: TrainedModel):
    """For each labelled set, computed from scikit-learn's own scores."""
    is_outlier = np.linalg.norm(small_model.training.rows, axis=1) > 2
    labelled = replace(small_model.training, labels=Labels("fraud", is_outlier))

    manifest = write_bundle(tmp_path, replace(small_model, test=labelled)).manifest

    figures = manifest["evaluation"]["test"]["labels"]
    scores = small_model.estimator.score_samples(labelled.rows)
    assert figures["roc_auc"] == roc_auc_score(is_outlier, -scores)
    assert figures["average_precision"] == average_precision_score(is_outlier, -scores)
    assert manifest["evaluation"]["test"]["label_column"] == "fraud"
    assert "labels" not in manifest["evaluation"]["train"]


def test_forest_of_one_feature_has_scores_but_no_boundary(tmp_path: Path):
    """One feature, even a constant one, is not an error although no plane can be drawn."""
    data = Dataset(("a",), np.full((10, 1), 3.0), Path("rows.csv"), "", ("a",))

    written = write_bundle(tmp_path, TrainedModel("m", fit(data.rows, ForestParameters(n_estimators=2)), data))

    assert sorted(file.name for file in written.folder.glob("*.png")) == ["scores.png", "thresholds.png"]
    assert written.manifest["has_out_of_bag_scores"] is False


def test_reference_has_training_rows_and_scores(bundle: WrittenBundle, small_model: TrainedModel):
    """All rows if there are few; the distinct scores in ascending order with their counts."""
    scores = small_model.estimator.score_samples(small_model.training.rows)
    with np.load(bundle.folder / "reference.npz", allow_pickle=False) as reference:
        assert np.array_equal(reference["rows"], small_model.training.rows)
        assert np.array_equal(np.repeat(reference["unique_scores"], reference["counts"]), np.sort(scores))
        assert (np.diff(reference["unique_scores"]) > 0).all()
        assert reference["n_rows"] == 300
        assert reference["n_flagged"] == (scores < small_model.estimator.offset_).sum()


def test_reference_of_many_rows_is_sampled_without_replacement(tmp_path: Path):
    """2,000 rows; the sample depends on the data only."""
    rows = np.arange(5000.0).reshape(-1, 1)
    data = Dataset(("a",), rows, Path("rows.csv"), "", ("a",))
    chosen = []
    for seed in (1, 2):
        model = TrainedModel("m", fit(rows, ForestParameters(n_estimators=2, random_state=seed)), data)
        with np.load(write_bundle(tmp_path, model).folder / "reference.npz") as reference:
            chosen.append(reference["rows"].ravel())

    assert len(set(chosen[0])) == len(chosen[0]) == 2000
    assert set(chosen[0]) <= set(rows.ravel())
    assert np.array_equal(*chosen)


@pytest.fixture(scope="module")
def drift_bundle(tmp_path_factory: pytest.TempPathFactory) -> WrittenBundle:
    """Return a bundle with drift detectors, made of the smallest number of rows."""
    rows = np.random.default_rng(1).normal(size=(4000, 2))
    data = Dataset(("mean", "sd"), rows, Path("rows.csv"), "", ("mean", "sd"))
    model = TrainedModel("m", fit(rows, ForestParameters(n_estimators=5, contamination=0.01)), data)
    models = tmp_path_factory.mktemp("drift") / "models"
    return write_bundle(models, model, drift=DriftParameters(expected_run_time=100, window=10))


def test_drift_detectors_use_the_reference_of_the_bundle(drift_bundle: WrittenBundle):
    """With the scores and labels of its forest; the manifest has their expected run time."""
    folder = drift_bundle.folder
    bundle = read_bundle(folder)
    calibration = Calibration.read(folder / DRIFT_FILE, folder / REFERENCE_FILE)

    assert "drift.npz" in bundle.manifest["files"]
    assert bundle.folder == folder
    assert np.array_equal(calibration.reference_scores, bundle.forest.score(calibration.reference_rows))
    assert calibration.training_outlier_share == drift_bundle.manifest["training"]["flagged_share"]
    promised = drift_bundle.manifest["drift"]
    assert (promised["window"], promised["expected_run_time"]) == (10, 100)
    assert promised["run_times"]["mmd"] == 100
    assert promised["run_times"]["outlier_rate"] == 100
    assert find_problems(folder) == []


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_damaged_drift_file_is_refused(drift_bundle: WrittenBundle, tmp_path: Path, damage: str):
    """The service verifies it on loading like all other files."""
    folder = shutil.copytree(drift_bundle.folder, tmp_path / "copy")
    file = folder / DRIFT_FILE
    if damage == "remove":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1] + b"?")

    with pytest.raises(InvalidBundle, match=r"drift\.npz .*: train again or go back to another version"):
        read_bundle(folder)


def test_bundle_without_drift_detectors_is_accepted(bundle: WrittenBundle):
    """300 rows are too few for them, and older versions have none either."""
    assert "drift.npz" not in read_bundle(bundle.folder).manifest["files"]
    assert json.loads((bundle.folder / "manifest.json").read_bytes())["drift"] is None


def test_few_rows_are_not_calibrated_even_on_request(tmp_path: Path, small_model: TrainedModel):
    """Thresholds from so few rows would not give the expected run time."""
    written = write_bundle(tmp_path, small_model, drift=DriftParameters())

    assert written.manifest["drift"] is None
    assert not (written.folder / DRIFT_FILE).exists()


def test_estimator_can_be_loaded_with_joblib(bundle: WrittenBundle, small_model: TrainedModel):
    """A notebook gets the stored estimator, and it gives the same scores."""
    estimator = joblib.load(bundle.folder / "model.joblib")

    rows = small_model.training.rows
    assert estimator.get_params() == small_model.estimator.get_params()
    assert np.array_equal(estimator.score_samples(rows), small_model.estimator.score_samples(rows))


def test_same_seed_and_data_give_the_same_forest(tmp_path: Path, small_model: TrainedModel):
    """Byte for byte; another seed gives another forest."""

    def train(seed: int) -> str:
        estimator = fit(small_model.training.rows, ForestParameters(n_estimators=10, random_state=seed))
        return sha256_of(write_bundle(tmp_path, replace(small_model, estimator=estimator)).folder / "forest.npz")

    first, second, other = train(16), train(16), train(17)

    assert first == second != other
    # Equal forests are different versions nevertheless.
    assert len(list(tmp_path.glob("*Z-*"))) == 3


def test_parameters_that_json_cannot_represent_are_described(tmp_path: Path, small_model: TrainedModel):
    """An imported estimator may have a generator as its seed, or NumPy numbers."""
    estimator = IsolationForest(n_estimators=np.int64(3), random_state=np.random.RandomState(1))
    estimator.fit(small_model.training.rows)

    manifest = write_bundle(tmp_path, replace(small_model, estimator=estimator)).manifest

    assert manifest["parameters"]["n_estimators"] == 3
    assert manifest["parameters"]["random_state"].startswith("RandomState(")


def test_forest_that_differs_from_scikit_learn_is_not_written(tmp_path, small_model, monkeypatch):
    """An error in compiling the forest never reaches the service."""

    def compile_wrongly(estimator: object, rows: np.ndarray, *_: object) -> Forest:
        arrays = compile_forest(estimator, rows).arrays
        return Forest(arrays, Threshold.find(-0.2, arrays))

    monkeypatch.setattr(module, "compile_forest", compile_wrongly)

    with pytest.raises(InvalidForest, match="differ on"):
        write_bundle(tmp_path / "models", small_model)

    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize(
    "part", ["write_forest_arrays", "_write_reference", "write_model_card", "write_report", "write_manifest"]
)
def test_nothing_is_left_when_writing_fails(tmp_path, small_model, monkeypatch, part, error):
    """Whichever step a full disk or Ctrl-C interrupts, the models folder is unchanged."""
    monkeypatch.setattr(module, "draw_pictures", lambda *arguments: {"scores.png": b"drawn before anything is written"})
    before = write_bundle(tmp_path, small_model).folder.name

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(module, part, fail)
    with pytest.raises((ModelsNotWritable, KeyboardInterrupt)) as refusal:
        write_bundle(tmp_path, small_model)

    assert sorted(entry.name for entry in tmp_path.iterdir()) == [
        HISTORY_FILE,
        LOCK_FILE,
        CHANGES_FILE,
        before,
        "current",
    ]
    assert read_bundle(tmp_path / "current").version == before
    if isinstance(error, OSError):
        assert "cannot be written (No space left on device); make room" in str(refusal.value)
