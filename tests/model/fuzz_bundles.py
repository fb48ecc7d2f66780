"""Loads and uses random and changed bundles: ``python -m tests.model.fuzz_bundles BUNDLE LIBRARY SECONDS SEED``.

A program of its own, so that the sanitizers of the C kernel can be loaded first, and a crash ends only this process.
Digests are made again after every change: what a stranger sends has right ones. It prints how many cases there were,
and fails if a bundle raises anything but a refusal, or is accepted and then gives an answer outside of its range.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from app.api.model_information import describe_model
from app.drift.calibration import Calibration
from app.drift.monitor import DriftMonitor
from app.errors import InvalidBundle
from app.model.bundle import DRIFT_FILE, FOREST_FILE, MANIFEST_FILE, REFERENCE_FILE, Bundle, read_bundle, write_manifest
from app.model.explain_kernels import CompiledExplainKernel
from app.model.explain_trees import ExplainTrees
from app.model.forest import Forest, Threshold
from app.model.forest_arrays import ForestArrays
from app.model.kernels import CompiledKernel, NumpyKernel
from app.model.scoring import score_row, score_rows

Arrays = dict[str, NDArray[Any]]

N_PREDICTIONS = 1000

KINDS = ("tree arrays", "random trees", "archive", "bytes", "manifest", "drift")
SHARES = (0.25, 0.25, 0.2, 0.1, 0.15, 0.05)

_NUMBERS = (
    0,
    1,
    -1,
    255,
    2**31 - 1,
    -(2**31),
    2**63 - 1,
    -(2**63),
    0.5,
    -0.5,
    1e-310,
    1e300,
    np.nan,
    np.inf,
    -np.inf,
)
_DTYPES = ("<i4", "<i8", "<f4", "<f8", ">i4", "u1", "?", "<c16", "S3", "<U2", "<M8[s]", "<f2")
_VALUES: tuple[Any, ...] = (None, True, 0, -1, 2**70, 1e308, "", "\r\n", "\0", [], {}, [[]], "x" * 1000)


def change_arrays(arrays: Arrays, random: Generator) -> Arrays:
    """Change one to three things in the arrays of a file."""
    changed = {name: np.array(array) for name, array in arrays.items()}
    for _ in range(random.integers(1, 4)):
        name = str(random.choice(list(arrays)))
        array = changed.get(name, arrays[name])
        match random.integers(9):
            case 0 | 1 | 2 if array.size and array.dtype.kind in "if":
                with np.errstate(all="ignore"):
                    array.reshape(-1)[random.integers(array.size)] = _draw(array, random)
            case 3 if array.size:
                array = array.reshape(-1)[: random.integers(array.size)]
            case 4:
                with np.errstate(all="ignore"):
                    array = _cast(array, str(random.choice(_DTYPES)))
            case 5:
                array = array.reshape(array.shape + (1,) * int(random.integers(3)))
            case 6 if array.ndim:
                array = array[random.permutation(len(array))]
            case 7 if array.ndim:
                array = np.asfortranarray(np.concatenate([array, array[: random.integers(len(array) + 1)]]))
            case 8:
                changed.pop(name, None)
                continue
        changed[name] = array
    return changed


def _draw(array: NDArray[Any], random: Generator) -> Any:
    """Draw a number for an array: one at the border of its type, a value from it, or a neighbour of one."""
    if random.random() < 0.4:
        number = _NUMBERS[random.integers(len(_NUMBERS))]
        if array.dtype.kind == "i":
            limits = np.iinfo(array.dtype)
            return 0 if not np.isfinite(number) else min(max(int(number), limits.min), limits.max)
        return number
    return array.reshape(-1)[random.integers(array.size)] + random.integers(-2, 3)


def _cast(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Convert an array, or return its bytes as the other type if it cannot be converted."""
    try:
        return array.astype(dtype)
    except (TypeError, ValueError):
        return np.zeros(array.shape, dtype)


def grow_random_arrays(random: Generator) -> Arrays:
    """Grow random trees; a third of them then get a child that belongs somewhere else."""
    n_trees, n_features = int(random.integers(1, 12)), int(random.integers(1, 5))
    children: list[list[int]] = []
    roots = []
    for _ in range(n_trees):
        roots.append(len(children))
        children.append([len(children)] * 2)
        leaves = [roots[-1]]
        for _ in range(random.integers(12)):
            node = leaves.pop(random.integers(len(leaves)))
            pair = [len(children), len(children) + 1]
            children += [[child, child] for child in pair]
            children[node] = pair if random.random() < 0.7 else pair[::-1]
            leaves += pair
    if random.random() < 0.3:
        children[random.integers(len(children))][random.integers(2)] = int(random.integers(-1, len(children) + 2))
    n_nodes = len(children)
    return {
        "feature": random.integers(0, n_features, n_nodes).astype(np.int32),
        "threshold": random.normal(size=n_nodes),
        "children": np.array(children, np.int32),
        "path_length": random.random(n_nodes) * 9,
        "roots": np.array(roots, np.int32),
        "path_length_scale": np.array(5.0 * n_trees),
        "n_features": np.array(n_features, np.int32),
        "missing_go_to_left": random.random(n_nodes) < 0.5,
        **_count_rows(children, random),
    }


def _count_rows(children: list[list[int]], random: Generator) -> Arrays:
    """Count rows and weights of the nodes of random trees."""
    counts = random.integers(1, 20, len(children))
    for node, pair in reversed(list(enumerate(children))):
        if node < min(pair) and max(pair) < len(children):
            counts[node] = counts[pair].sum()
    return {"n_node_samples": counts, "weighted_n_node_samples": counts * 0.1}


def change_bytes(content: bytes, random: Generator) -> bytes:
    """Change, remove or repeat some bytes."""
    changed = bytearray(content)
    for _ in range(random.integers(1, 6)):
        at = int(random.integers(len(changed))) if changed else 0
        match random.integers(3):
            case 0 if changed:
                changed[at] = random.integers(256)
            case 1:
                del changed[at : at + int(random.integers(1, 200))]
            case 2:
                changed[at:at] = changed[at : at + int(random.integers(1, 200))]
    return bytes(changed)


def change_manifest(manifest: dict[str, Any], random: Generator) -> dict[str, Any]:
    """Replace or remove a value at a random place."""
    changed: dict[str, Any] = json.loads(json.dumps(manifest))
    place: Any = changed
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        key = keys[random.integers(len(keys))]
        if isinstance(place[key], dict | list) and place[key] and random.random() < 0.8:
            place = place[key]
            continue
        if random.random() < 0.2:
            del place[key]
        else:
            place[key] = _VALUES[random.integers(len(_VALUES))]
        return changed


def use(bundle: Bundle, random: Generator) -> None:
    """Predict with a bundle, and check that every answer is in its range."""
    rows = random.normal(size=(N_PREDICTIONS, bundle.forest.n_features)).astype(np.float32)
    scored = score_rows(bundle, rows)
    first = score_row(bundle, rows[0].tolist())
    assert first.score == scored.scores[0]
    assert ((scored.scores >= -1) & (scored.scores <= 0)).all()
    assert set(np.unique(scored.labels)) <= {-1, 1}
    # Without confidence are rows with unfamiliar values.
    certain = scored.confidences[~np.isnan(scored.confidences)]
    assert ((certain >= 0) & (certain <= 1)).all()
    bundle.version.encode("ascii")
    assert bundle.version.isprintable()
    msgspec.json.encode(describe_model(bundle))


class Fuzzer:
    """Changes copies of one valid bundle."""

    def __init__(self, valid: Path, folder: Path, library: Path, random: Generator) -> None:
        self._bundle, self._library, self._random = folder / "bundle", library, random
        shutil.copytree(valid, self._bundle)
        self._valid = {file: (valid / file).read_bytes() for file in (FOREST_FILE, REFERENCE_FILE, MANIFEST_FILE)}
        self._manifest = json.loads(self._valid[MANIFEST_FILE])
        self._arrays = {file: dict(np.load(valid / file)) for file in (FOREST_FILE, REFERENCE_FILE)}
        self._drift = dict(np.load(valid / DRIFT_FILE))
        self.outcomes: Counter[str] = Counter()

    def try_case(self) -> None:
        """Load and use one changed bundle, or one set of arrays."""
        kind = str(self._random.choice(KINDS, p=SHARES))
        try:
            if kind in ("tree arrays", "random trees"):
                self._use_arrays(kind)
            elif kind == "drift":
                self._use_drift()
            else:
                self._use_bundle(kind)
        except InvalidBundle:
            self.outcomes[f"{kind}: refused"] += 1
        else:
            self.outcomes[f"{kind}: used"] += 1

    def _use_arrays(self, kind: str) -> None:
        """Score with arrays that did not pass through a file: without golden rows, more of them get to the kernels."""
        if kind == "random trees":
            arrays = grow_random_arrays(self._random)
        else:
            arrays = change_arrays(self._arrays[FOREST_FILE], self._random)
        if set(arrays) != set(self._arrays[FOREST_FILE]):
            raise InvalidBundle("an array is missing, which the archive's reader refuses")
        checked = ForestArrays(**arrays)
        checked.check()
        forest = Forest(checked, Threshold.find(-0.5, checked), NumpyKernel)
        rows = self._random.normal(size=(N_PREDICTIONS, forest.n_features)).astype(np.float32)
        rows[self._random.random(rows.shape) < 0.01] = np.nan
        compiled = CompiledKernel(checked, self._library)
        assert np.array_equal(compiled.sum_path_lengths(rows), NumpyKernel(checked).sum_path_lengths(rows))
        assert np.isfinite(compiled.sum_path_lengths_of_row(rows[0].tolist()))
        scores = forest.score(rows)
        assert ((scores >= -1) & (scores <= 0)).all()
        if checked.weighted_n_node_samples is not None:
            trees = ExplainTrees.of(checked)
            explaining = CompiledExplainKernel(trees, self._library)
            assert np.isfinite(explaining.shapley_values(rows[:7])).all()
            assert np.isfinite(explaining.gains(rows[0])).all()

    def _use_bundle(self, kind: str) -> None:
        """Load a bundle with one changed file, and use it if it is accepted."""
        for file, content in self._valid.items():
            (self._bundle / file).write_bytes(content)
        manifest = self._manifest
        file = str(self._random.choice([FOREST_FILE, REFERENCE_FILE]))
        if kind == "archive":
            self._write_archive(self._bundle / file, change_arrays(self._arrays[file], self._random))
        elif kind == "bytes":
            (self._bundle / file).write_bytes(change_bytes(self._valid[file], self._random))
        else:
            manifest = change_manifest(manifest, self._random)
        write_manifest(self._bundle, manifest)
        use(read_bundle(self._bundle), self._random)

    def _use_drift(self) -> None:
        """Read a changed calibration, and let the detectors see some rows."""
        for file, arrays in ((DRIFT_FILE, self._drift), (REFERENCE_FILE, self._arrays[REFERENCE_FILE])):
            is_changed = self._random.random() < 0.6
            np.savez(self._bundle / file, **(change_arrays(arrays, self._random) if is_changed else arrays))
        calibration = Calibration.read(self._bundle / DRIFT_FILE, self._bundle / REFERENCE_FILE)
        n_features = calibration.reference_rows.shape[1]
        monitor = DriftMonitor(calibration, [f"f{number}" for number in range(n_features)], 100, 30)
        rows = self._random.normal(size=(50, n_features))
        monitor.update(rows, np.full(50, -0.5), np.ones(50))
        json.dumps(monitor.state())

    def _write_archive(self, file: Path, arrays: Arrays) -> None:
        """Write arrays, sometimes compressed."""
        method = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        with zipfile.ZipFile(file, "w", method[self._random.choice(4, p=[0.7, 0.2, 0.05, 0.05])]) as archive:
            for name, array in arrays.items():
                content = io.BytesIO()
                np.lib.format.write_array(content, array, version=None if self._random.random() < 0.9 else (2, 0))
                archive.writestr(f"{name}.npy", content.getvalue())


def main(valid: Path, library: Path, seconds: float, seed: int) -> None:
    """Try cases for some seconds, and print what became of them."""
    # Nothing here need survive a power cut, and flushing takes longer than all else.
    os.fsync = lambda fd: None
    random = np.random.default_rng(seed)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        fuzzer = Fuzzer(valid, Path(folder), library, random)
        while time.monotonic() < end:
            state = random.bit_generator.state
            try:
                fuzzer.try_case()
            except Exception:
                print(f"seed {seed}, case {sum(fuzzer.outcomes.values())}, state {state}", file=sys.stderr)
                raise
    print(json.dumps(fuzzer.outcomes, sort_keys=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
