"""Bundles that somebody else made are refused in time, whatever is in them, and the live model goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from app.drift.calibration import Calibration
from app.errors import InvalidBundle
from app.model.build_kernel import build, find_compiler
from app.model.bundle import (
    DRIFT_FILE,
    FILES_OF_THE_SERVICE,
    FOREST_FILE,
    MANIFEST_FILE,
    REFERENCE_FILE,
    read_bundle,
    write_manifest,
)
from app.model.forest_file import read_forest
from app.model.live_model import CURRENT_LINK, LiveModel
from app.model.worker_sync import WorkerSync
from training.bundle.write import TrainedModel, write_bundle
from training.data.dataset import Dataset
from training.drift.calibrate import DriftParameters
from training.fitting.fit import ForestParameters, fit

REPOSITORY = Path(__file__).parent.parent.parent
VALID = REPOSITORY / "tests" / "compatibility" / "first_release" / "models" / "20261129T085415Z-012936da"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A copy of a valid bundle; without copying modes, so that it can be changed."""
    folder = tmp_path / "models" / "bundle"
    folder.mkdir(parents=True)
    for file in VALID.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def seal(bundle: Path, **changes: object) -> None:
    """Make the digests right, as anybody can."""
    write_manifest(bundle, json.loads((bundle / MANIFEST_FILE).read_bytes()) | changes)


def change_arrays(file: Path, **arrays: object) -> None:
    """Replace arrays of a file."""
    np.savez(file, **(dict(np.load(file)) | arrays))


def test_valid_bundle_is_read(bundle: Path):
    """The ones below differ from it in one thing."""
    seal(bundle)
    assert read_bundle(bundle).version == VALID.name


@pytest.mark.parametrize(
    ("file", "arrays", "message"),
    [
        (FOREST_FILE, {"feature": np.full(685, np.nan)}, "feature is float64 with 1 axes, expected int32"),
        (FOREST_FILE, {"roots": np.zeros((5, 1), np.int32)}, "roots is int32 with 2 axes, expected int32 with 1"),
        (FOREST_FILE, {"offset": np.array(["a"], object)}, "offset is object"),
        (FOREST_FILE, {"threshold": np.zeros(684)}, "forest.npz cannot be used: .* different lengths"),
        (REFERENCE_FILE, {"counts": np.ones(3, np.int64)}, "859 unique_scores and 3 counts"),
        (REFERENCE_FILE, {"counts": np.full(859, 2**62)}, "training rows"),
        (REFERENCE_FILE, {"unique_scores": np.full(859, np.nan)}, "not ascending"),
        (REFERENCE_FILE, {"n_flagged": np.int64(-1)}, "-1 of them flagged"),
    ],
)
def test_wrong_arrays_are_refused(bundle: Path, file: str, arrays: dict[str, object], message: str):
    """Type, axes, lengths and ranges; the message names the array."""
    change_arrays(bundle / file, **arrays)
    seal(bundle)
    with pytest.raises(InvalidBundle, match=message):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "v1\r\nSet-Cookie: a=b"}, "version must be"),
        ({"version": 7}, "version must be"),
        ({"name": "a\0b"}, "name must be"),
        ({"trained_at": "2026-01-31T12:00:00"}, "trained_at must be a time with its zone"),
        ({"features": [{"name": "mean", "low": 0, "high": 1}] * 2}, "different texts"),
        ({"features": [{"name": "a", "low": "0", "high": 1}, {"name": "b", "low": 0, "high": 1}]}, "low <= high"),
        ({"training": {}}, "training.rows"),
        ({"golden": {"rows": [], "anomaly_score": [], "is_inlier": []}}, "golden must have 1"),
        ({"golden": {"rows": [[1.0]], "anomaly_score": [-0.5], "is_inlier": [1]}}, "must have 2 numbers"),
        ({"parameters": {"random_state": 2**70}}, "parameters must have"),
    ],
)
def test_wrong_values_in_the_manifest_are_refused(bundle: Path, changes: dict[str, object], message: str):
    """A service that accepted them would answer 500 later, or send a forged header."""
    seal(bundle, **changes)
    with pytest.raises(InvalidBundle, match=message):
        read_bundle(bundle)


def test_manifest_that_is_nested_deeply_is_refused(bundle: Path):
    """The parser's recursion ends in an error that is no ValueError."""
    (bundle / MANIFEST_FILE).write_text("[" * 100_000)
    with pytest.raises(InvalidBundle, match=r"manifest\.json cannot be read"):
        read_bundle(bundle)


def test_manifest_with_paths_is_refused(bundle: Path):
    """A bundle's files are in its own folder."""
    manifest = json.loads((bundle / MANIFEST_FILE).read_bytes())
    for name in ("../../../etc/passwd", "/dev/zero", ".."):
        rest = {key: value for key, value in manifest.items() if key != "manifest_sha256"} | {"files": {name: "00"}}
        (bundle / MANIFEST_FILE).write_bytes(_encode(rest | {"manifest_sha256": sha256(_encode(rest)).hexdigest()}))
        with pytest.raises(InvalidBundle, match="files outside of its folder"):
            read_bundle(bundle)


def _encode(manifest: dict[str, object]) -> bytes:
    """Encode a manifest as training does."""
    return json.dumps(manifest, indent=1, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize("what", ["pipe", "endless device", "folder"])
@pytest.mark.parametrize("name", [FOREST_FILE, REFERENCE_FILE, DRIFT_FILE, MANIFEST_FILE])
@pytest.mark.timeout(30)  # opening the pipe would wait for ever
def test_only_regular_files_are_opened(bundle: Path, name: str, what: str):
    """Neither a pipe nor a link to a device stops the service."""
    file = bundle / name
    file.unlink()
    if what == "pipe":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    else:
        file.symlink_to("/dev/zero")

    with pytest.raises(InvalidBundle, match=f"{name} cannot be read"):
        read_bundle(bundle)


def test_links_to_regular_files_are_followed(bundle: Path, tmp_path: Path):
    """Kubernetes mounts volumes as links, and so do caches of models."""
    (bundle / FOREST_FILE).rename(tmp_path / "blob")
    (bundle / FOREST_FILE).symlink_to(tmp_path / "blob")
    assert read_bundle(bundle).version == VALID.name


def test_arrays_that_unpack_to_gigabytes_are_refused_before_unpacking(bundle: Path):
    """4 GB of zeros are 4 MB when compressed."""
    with zipfile.ZipFile(bundle / FOREST_FILE, "a", zipfile.ZIP_DEFLATED) as archive:
        # The size that the archive declares is what an honest one would have, and all that is read of it.
        archive.getinfo("threshold.npy").file_size = 4_000_000_000
        archive.writestr("more", "")  # so that the list of members is written again
    seal(bundle)
    with pytest.raises(InvalidBundle, match=r"its arrays have 4,000,\d+,\d+ bytes, at most 1,073,741,824"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mmd_starts": np.array([0, 10**12]), "mmd_lines": np.ones(2)}, "does not fit"),
        ({"mmd_lines": np.zeros(7)}, "does not fit"),
        ({"distance_scales": np.array([1.0, np.inf, 1.0])}, "does not fit"),
        ({"window": np.float64(20)}, "window is float64"),
        ({"window": np.array([20])}, "window is int64 with 1 axes"),
    ],
)
def test_wrong_calibration_is_refused(bundle: Path, arrays: dict[str, object], message: str):
    """A table of 10 ** 12 thresholds would fill the memory of the recorder."""
    change_arrays(bundle / DRIFT_FILE, **arrays)
    with pytest.raises(InvalidBundle, match=message):
        Calibration.read(bundle / DRIFT_FILE, bundle / REFERENCE_FILE)


def test_any_error_while_loading_is_a_refusal(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog):
    """The old model stays; a worker that starts late serves it as well, and each counts the refusal."""
    models = bundle.parent
    (models / CURRENT_LINK).symlink_to(bundle.name)
    first = LiveModel(models, notes=WorkerSync(tmp_path))
    first.refresh()
    refusals = []
    wrong = models / "wrong"
    wrong.mkdir()
    for file in bundle.iterdir():
        (wrong / file.name).write_bytes(file.read_bytes())
    seal(wrong, version="wrong")
    (models / CURRENT_LINK).unlink()
    (models / CURRENT_LINK).symlink_to("wrong")

    def fail(file, opened, manifest):
        if file.parent == wrong:
            raise MemoryError("no memory")
        return read_forest(file, opened, manifest)

    monkeypatch.setattr("app.model.bundle.read_forest", fail)
    for live in (first, LiveModel(models, on_refused=lambda: refusals.append(1), notes=WorkerSync(tmp_path))):
        live.refresh()
        assert live.get().version == VALID.name
        assert "MemoryError: no memory" in live.problem
    assert refusals == [1]
    assert caplog.text.count("refused a model bundle") == 1


def write_format_2(models: Path) -> Path:
    """Write a small bundle of this release, with drift detectors and out-of-bag scores."""
    rows = np.random.default_rng(1).normal(size=(4000, 2))
    data = Dataset(("mean", "sd"), rows, Path("rows.csv"), "", ("mean", "sd"))
    model = TrainedModel("m", fit(rows, ForestParameters(n_estimators=5, contamination=0.01)), data)
    folder = write_bundle(models, model, drift=DriftParameters(expected_run_time=100, window=10)).folder
    # Only what the service opens, so that a case writes little.
    for file in set(folder.iterdir()) - {folder / name for name in (*FILES_OF_THE_SERVICE, DRIFT_FILE, MANIFEST_FILE)}:
        file.unlink()
    seal(folder)
    return folder


def test_random_bundles_never_crash_the_kernel(tmp_path: Path, is_long: bool):
    """Whatever is accepted is used for 1,000 predictions, with AddressSanitizer in the kernel."""
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("no C compiler (cc, gcc or clang) is installed on this machine")
    sanitizer = subprocess.run([compiler, "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    if not Path(sanitizer).is_absolute():
        pytest.skip(f"{compiler} has no libasan.so")
    library = tmp_path / "forest_kernel.so"
    build(compiler, library, ("-fsanitize=address,undefined", "-fno-sanitize-recover=all"))
    seconds = 60 if is_long else 5

    done = subprocess.run(
        [sys.executable, "-m", "tests.model.fuzz_bundles", write_format_2(tmp_path), library, str(seconds), "1"],
        cwd=REPOSITORY,
        # Python itself frees not everything at its end.
        env={"PATH": os.environ["PATH"], "LD_PRELOAD": sanitizer, "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        timeout=150,
    )

    assert done.returncode == 0, done.stderr[-5000:]
    outcomes = json.loads(done.stdout)
    assert outcomes["random trees: used"] > 0
    assert outcomes["manifest: used"] > 0
    assert outcomes["tree arrays: refused"] > 0
