"""A bundle is read as it was written, or refused if any byte has changed."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

from app.errors import InvalidBundle
from app.model.bundle import (
    FILES_OF_THE_SERVICE,
    FORMAT_VERSION,
    MANIFEST_FILE,
    find_problems,
    read_bundle,
    read_manifest,
    write_manifest,
)
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset

ROWS = np.random.default_rng(1).normal(size=(50, 2))


@pytest.fixture(scope="module")
def estimator() -> IsolationForest:
    """A small forest."""
    return IsolationForest(n_estimators=5, contamination=0.1, random_state=1).fit(ROWS)


@pytest.fixture(scope="module")
def written(estimator: IsolationForest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that no test changes."""
    rows = Dataset(("mean", "sd"), ROWS, Path("rows.csv"), "0" * 64, ("mean", "sd"))
    models = tmp_path_factory.mktemp("written") / "models"
    return write_bundle(models, TrainedModel("credits", estimator, rows)).folder


@pytest.fixture
def bundle(written: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(written, tmp_path / written.name))


def flip(file: Path, position: int, bit: int = 0) -> None:
    """Change one bit of a file."""
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << bit
    file.write_bytes(content)


def seal_again(bundle: Path, **changes: object) -> None:
    """Change a manifest and update its digest, as another program could."""
    write_manifest(bundle, json.loads((bundle / MANIFEST_FILE).read_bytes()) | changes)


def test_bundle_is_read_as_it_was_written(written: Path, estimator: IsolationForest):
    """Name, features and ranges, and the scores and labels of scikit-learn."""
    bundle = read_bundle(written)

    assert (bundle.name, bundle.version) == ("credits", written.name)
    assert bundle.features.names == ("mean", "sd")
    assert bundle.features.low == tuple(ROWS.min(axis=0))
    assert bundle.features.high == tuple(ROWS.max(axis=0))
    assert bundle.trained_at.utcoffset() is not None
    assert np.array_equal(bundle.forest.score(ROWS), estimator.score_samples(ROWS))
    assert find_problems(written) == []


def test_any_changed_byte_of_the_manifest_is_refused(bundle: Path):
    """Even in a blank, a line end or the digest itself; drawn from all positions, as each reads the whole file."""
    manifest = bundle / MANIFEST_FILE
    bits = random.Random(1)
    size = manifest.stat().st_size
    for position in (*bits.sample(range(size), 500), *range(size - 100, size)):
        bit = bits.randrange(8)
        flip(manifest, position, bit)
        with pytest.raises(InvalidBundle, match=r"manifest\.json"):
            read_manifest(bundle)
        flip(manifest, position, bit)
    read_bundle(bundle)


@given(data=st.data())
def test_any_changed_byte_that_the_service_reads_is_refused(written: Path, data: st.DataObject):
    """The forest and the reference are refused before they are parsed."""
    file = written / data.draw(st.sampled_from(FILES_OF_THE_SERVICE))
    position = data.draw(st.integers(0, file.stat().st_size - 1))
    bit = data.draw(st.integers(0, 7))
    flip(file, position, bit)
    try:
        with pytest.raises(InvalidBundle, match=f"{file.name} was changed after it was written"):
            read_bundle(written)
    finally:
        flip(file, position, bit)


def test_a_changed_byte_of_any_file_is_found(bundle: Path):
    """Even in the files that only people open."""
    files = sorted(file for file in bundle.iterdir() if file.name != MANIFEST_FILE)
    assert {file.name for file in files} >= {"forest.npz", "reference.npz", "model.joblib", "model_card.md"}
    for file in files:
        position = file.stat().st_size // 2
        flip(file, position)
        assert find_problems(bundle) == [
            f"{file} was changed after it was written: train again or go back to another version."
        ]
        flip(file, position)


def test_missing_and_foreign_files_are_found(bundle: Path):
    """A bundle has exactly the files of its manifest."""
    (bundle / "model_card.md").unlink()
    (bundle / "notes.txt").write_text("mine")

    missing, foreign = find_problems(bundle)

    assert "model_card.md cannot be read" in missing
    assert "notes.txt is not in the manifest" in foreign


def test_error_for_a_missing_folder_says_what_to_do(tmp_path: Path):
    """A new user reads this before the first training."""
    with pytest.raises(InvalidBundle, match="does not exist: train a model"):
        read_bundle(tmp_path / "current")


def test_newer_format_is_refused(bundle: Path):
    """An older service does not guess the meaning of a newer bundle."""
    seal_again(bundle, format_version=FORMAT_VERSION + 1)

    with pytest.raises(InvalidBundle, match=f"has format {FORMAT_VERSION + 1}, this service reads 1 and 2: use"):
        read_bundle(bundle)


def test_forest_that_does_not_reproduce_the_golden_rows_is_refused(bundle: Path):
    """Correct digests are not enough: scores and labels must equal those of scikit-learn."""
    golden = read_manifest(bundle)["golden"]
    wrong_scores = golden | {"anomaly_score": [score + 1e-9 for score in golden["anomaly_score"]]}
    wrong_labels = golden | {"is_inlier": [-label for label in golden["is_inlier"]]}

    for wrong in (wrong_scores, wrong_labels):
        seal_again(bundle, golden=wrong)
        with pytest.raises(InvalidBundle, match="does not reproduce the scores of its training"):
            read_bundle(bundle)

    seal_again(bundle, golden=golden)
    read_bundle(bundle)


@pytest.mark.parametrize("changes", [{"golden": {}}, {"features": [{"name": "mean"}]}, {"trained_at": "today"}])
def test_manifest_without_a_needed_part_is_refused(bundle: Path, changes: dict[str, object]):
    """A manifest of another program may lack anything."""
    seal_again(bundle, **changes)

    with pytest.raises(InvalidBundle, match="cannot be read"):
        read_bundle(bundle)


NUMBER = {"name": "mean", "kind": "number", "share_missing": 0.0, "range": {"min": 0, "max": 1}, "quantiles": [0, 1]}
GERMANY = {"level": "DE", "count": 3}
LEVELS = {"name": "mean", "kind": "category", "share_missing": 0, "levels": [GERMANY]}
SCORE = {"score": -0.5, "path_length_sum": 10.0}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": []}, "columns must be a list of 1 to 256"),
        ({"columns": [NUMBER, NUMBER]}, "columns must have different texts"),
        ({"columns": [NUMBER | {"kind": "date"}]}, "mean must have a kind"),
        ({"columns": [NUMBER | {"share_missing": 1.5}]}, "mean must have a share_missing in 0 to 1"),
        ({"columns": [NUMBER | {"range": {"min": 1, "max": 0}}]}, "mean must have a range min <= max"),
        ({"columns": [NUMBER | {"range": None}]}, "mean must have a range"),
        ({"columns": [NUMBER | {"quantiles": [0, 1, 1]}]}, "an ascending quantile for each"),
        ({"columns": [NUMBER | {"quantiles": [1, 0]}]}, "an ascending quantile for each"),
        ({"columns": [LEVELS | {"levels": [GERMANY | {"count": -1}]}]}, "mean must have levels"),
        ({"columns": [LEVELS | {"kind": "boolean"}]}, "mean must have levels"),
        ({"columns": [LEVELS | {"levels": [GERMANY, GERMANY]}]}, "mean must have different levels"),
        ({"quantile_levels": [0.5, 2]}, "quantile_levels must ascend within 0 to 1"),
        ({"encoding": None}, "encoding must be a list"),
        ({"encoding": [{"step": "hash", "columns": ["mean"]}]}, "the step 'hash', which this release does not"),
        ({"encoding": [{"step": "identity", "columns": ["sd", "mean"]}]}, "must use each of the columns once"),
        ({"threshold": {"score": -0.5}}, "threshold must have the numbers"),
        ({"threshold": SCORE}, "threshold of 10.0 edges is not that of the score -0.5"),
        ({"threshold": SCORE | {"score": 0.5}}, "the score 0.5, which is not in"),
        ({"threshold": SCORE | {"path_length_sum": -1.0}}, "-1 edges, which no row can have"),
        ({"has_out_of_bag_scores": 1}, "has_out_of_bag_scores must be true or false"),
        ({"has_out_of_bag_scores": True}, "it has no array out_of_bag_scores"),
    ],
)
def test_wrong_values_of_format_2_are_refused(bundle: Path, changes: dict[str, object], message: str):
    """What other programs write about columns, encoding and threshold is checked before anything uses it."""
    columns = {"quantile_levels": [0, 1]} if "columns" in changes else {}
    seal_again(bundle, **columns, **changes)

    with pytest.raises(InvalidBundle, match=message):
        read_bundle(bundle)


def test_features_that_do_not_fit_the_forest_are_refused(bundle: Path):
    """One name for a forest of two features would misread every row."""
    one = {
        "features": [{"name": "mean", "low": 0.0, "high": 1.0}],
        "columns": read_manifest(bundle)["columns"][:1],
        "encoding": [{"step": "identity", "columns": ["mean"]}],
    }
    seal_again(bundle, **one)

    with pytest.raises(InvalidBundle, match="names 1 feature, its forest has 2"):
        read_bundle(bundle)
