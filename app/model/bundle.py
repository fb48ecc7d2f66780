"""The model bundle: a folder with everything about one trained model, written once and verified when read.

``manifest.json`` has the sha256 of every other file and a digest of itself, so that any changed byte is detected.
Nothing here unpickles: a bundle from a stranger can be wrong, but cannot run code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidBundle, count_of
from app.model.confidence import LabelConfidence, read_confidence
from app.model.forest import Forest
from app.model.forest_arrays import FOREST_ARRAYS, ForestArrays
from app.model.manifest_check import check_manifest, has_plain_files
from app.model.schema import LARGEST_NUMBER, Features
from app.server.array_file import MAX_BYTES, read_arrays
from app.server.atomic_file import replacing
from app.server.regular_file import open_regular, read_regular

# Incremented when an older service could no longer read a bundle.
FORMAT_VERSION = 1

MANIFEST_FILE, FOREST_FILE, REFERENCE_FILE = "manifest.json", "forest.npz", "reference.npz"

# Missing if there were too few training rows to calibrate drift detectors.
DRIFT_FILE = "drift.npz"

# The service opens, and so checks, only these; `python -m training verify` checks every file.
FILES_OF_THE_SERVICE = (FOREST_FILE, REFERENCE_FILE)

# Scores equal scikit-learn's to the last bit on the machine that trained; the power function of another processor may
# round differently, by about 1e-16.
SCORE_TOLERANCE = 1e-12

# The signature covers the digest, and so everything. The key is read here, so that nobody can forget the check.
DIGEST_FIELD, SIGNATURE_FIELD, PUBLIC_KEY_VARIABLE = "manifest_sha256", "signature", "BUNDLE_PUBLIC_KEY"

# Of 256 columns with long names, a manifest has half a megabyte.
_MAX_MANIFEST_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: the parts that the service needs.

    Parameters
    ----------
    folder
        The folder of the bundle.
    name, version
        The name of the model, and the version of this training.
    trained_at
        Time of the training, with time zone.
    features
        The features of a row.
    forest
        The compiled trees.
    confidence
        Computes the confidence of labels.
    manifest
        The manifest, with everything else from training.
    """

    folder: Path
    name: str
    version: str
    trained_at: datetime
    features: Features
    forest: Forest
    confidence: LabelConfidence
    manifest: dict[str, Any]


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle: check the files that the service uses, and score the golden rows.

    Parameters
    ----------
    folder
        ``models/<version>``, or a link to it.

    Raises
    ------
    InvalidBundle
        If a file is missing or was changed, the format is unknown, a value is of another type or out of range, or the
        scores or labels of the golden rows differ from those of scikit-learn in training.
    """
    manifest = read_manifest(folder)
    with _refusing(folder):
        check_manifest(manifest)
        with _open_verified(folder, FOREST_FILE, manifest) as opened:
            forest = _read_forest(folder / FOREST_FILE, opened)
        with _open_verified(folder, REFERENCE_FILE, manifest) as opened:
            confidence = read_confidence(opened)
        if DRIFT_FILE in manifest["files"]:
            with _open_verified(folder, DRIFT_FILE, manifest):
                pass  # the recorder reads it
        features = Features(
            *(tuple(feature[key] for feature in manifest["features"]) for key in ("name", "low", "high"))
        )
        if len(features) != forest.n_features:
            raise InvalidBundle(
                f"{folder} names {count_of(len(features), 'feature')}, its forest has {forest.n_features}: train again."
            )
        golden = manifest["golden"]
        _check_golden_rows(folder, forest, golden["rows"], golden["anomaly_score"], golden["is_inlier"])
        return Bundle(
            folder=folder,
            name=manifest["name"],
            version=manifest["version"],
            trained_at=datetime.fromisoformat(manifest["trained_at"]),
            features=features,
            forest=forest,
            confidence=confidence,
            manifest=manifest,
        )


def find_problems(folder: Path, *, needs_signature: bool = True) -> list[str]:
    """Check every file of a bundle and return the problems: none if it is unchanged.

    Raises
    ------
    InvalidBundle
        If the manifest itself cannot be trusted; see :func:`read_manifest`.
    """
    manifest = read_manifest(folder, needs_signature=needs_signature)
    problems = [_find_problem(folder, file, manifest) for file in manifest["files"]]
    present = {entry.name for entry in folder.iterdir()} - {MANIFEST_FILE}
    strangers = [f"{folder / name} is not in the manifest." for name in sorted(present - set(manifest["files"]))]
    return [problem for problem in problems if problem] + strangers


def read_manifest(folder: Path, *, needs_signature: bool = True) -> dict[str, Any]:
    """Read ``manifest.json`` and check its digest, format and signature.

    Raises
    ------
    InvalidBundle
        If it is missing, is not a manifest, was changed, is of a newer format, or is not signed by the key in
        ``BUNDLE_PUBLIC_KEY`` although that is set and ``needs_signature`` is true.
    """
    file = folder / MANIFEST_FILE
    try:
        written = read_regular(file, _MAX_MANIFEST_BYTES)
        manifest: dict[str, Any] = json.loads(written)
        # The bytes are compared, too: a digest of the values would not detect a changed blank or a repeated key.
        is_unchanged = (
            isinstance(manifest, dict)
            and written == to_bytes(manifest)
            and manifest.get(DIGEST_FIELD) == _digest(manifest)
        )
    except FileNotFoundError:
        raise InvalidBundle(f"{file} does not exist: train a model with `make train`.") from None
    # A manifest of a stranger can be nested too deeply for the parser, or hold what cannot be written.
    except Exception as error:
        raise InvalidBundle(f"{file} cannot be read ({error}): train again or go back to another version.") from error
    if not is_unchanged:
        raise InvalidBundle(_was_changed(file))
    if needs_signature and is_signature_required():
        from app.model.signature import require_signature

        require_signature(file, manifest[DIGEST_FIELD], manifest.get(SIGNATURE_FIELD))
    if manifest.get("format_version") != FORMAT_VERSION:
        raise InvalidBundle(
            f"{file} has format {manifest.get('format_version')}, this service reads {FORMAT_VERSION}: "
            "use the Isowatch release that wrote it, or train again."
        )
    if not has_plain_files(manifest):
        raise InvalidBundle(f"{file} lists files outside of its folder, or none: train again.")
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the manifest with the sha256 of every file in ``folder`` and its own digest.

    Parameters
    ----------
    folder
        The bundle, with all other files.
    manifest
        Strict JSON values only, without ``files``, ``format_version`` and the digest, which are added.
    """
    others = sorted(entry for entry in folder.iterdir() if entry.name != MANIFEST_FILE)
    sealed = manifest | {
        "format_version": FORMAT_VERSION,
        "files": {file.name: sha256_of(file) for file in others},
    }
    sealed[DIGEST_FIELD] = _digest(sealed)
    with replacing(folder / MANIFEST_FILE) as unfinished:
        unfinished.write_bytes(to_bytes(sealed))


def is_signature_required() -> bool:
    """Return whether ``BUNDLE_PUBLIC_KEY`` is set."""
    return bool(os.environ.get(PUBLIC_KEY_VARIABLE, "").strip())


def write_forest_arrays(file: Path, arrays: ForestArrays) -> None:
    """Write ``forest.npz``; equal arrays give equal bytes."""
    np.savez(file, allow_pickle=False, **arrays.as_dict())


def sha256_of(file: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    with open_regular(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def _refusing(folder: Path) -> Iterator[None]:
    """Turn every exception into a refusal that names the bundle."""
    try:
        yield
    except InvalidBundle:
        raise
    # What somebody else wrote can make a parser raise anything; the service must go on with the model that it has.
    except Exception as error:
        raise InvalidBundle(f"{folder} cannot be read ({type(error).__name__}: {error}): train it again.") from error


@contextmanager
def _open_verified(folder: Path, file: str, manifest: dict[str, Any]) -> Iterator[BinaryIO]:
    """Open a file of a bundle whose content has the digest in the manifest."""
    path = folder / file
    try:
        opened = open_regular(path, MAX_BYTES)
    except (OSError, ValueError) as error:
        raise InvalidBundle(_cannot_be_read(path, error)) from error
    with opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != manifest["files"].get(file):
            raise InvalidBundle(_was_changed(path))
        opened.seek(0)
        yield opened


def _digest(manifest: dict[str, Any]) -> str:
    """Return the sha256 of a manifest without the fields that hold it and its signature."""
    rest = {key: value for key, value in manifest.items() if key not in (DIGEST_FIELD, SIGNATURE_FIELD)}
    return hashlib.sha256(to_bytes(rest)).hexdigest()


def to_bytes(manifest: dict[str, Any]) -> bytes:
    """Serialize a manifest in its canonical form; NaN and Infinity are refused, as they are not JSON."""
    return json.dumps(manifest, indent=1, allow_nan=False, ensure_ascii=False).encode() + b"\n"


def _find_problem(folder: Path, file: str, manifest: dict[str, Any]) -> str | None:
    """Return what is wrong with a file, or None."""
    try:
        if sha256_of(folder / file) == manifest["files"].get(file):
            return None
    except (OSError, ValueError) as error:
        return _cannot_be_read(folder / file, error)
    return _was_changed(folder / file)


def _was_changed(file: Path) -> str:
    """Return the message for a file whose digest is wrong."""
    return f"{file} was changed after it was written: train again or go back to another version."


def _cannot_be_read(file: Path, error: OSError | ValueError) -> str:
    """Return the message for a file that cannot be opened."""
    reason = error.strerror if isinstance(error, OSError) else error
    return f"{file} cannot be read ({reason}): train again or go back to another version."


def _read_forest(file: Path, opened: BinaryIO) -> Forest:
    """Read ``forest.npz``, and check that the arrays are a forest."""
    arrays = ForestArrays(**read_arrays(opened, FOREST_ARRAYS))
    try:
        return Forest(arrays)
    except InvalidBundle as error:
        raise InvalidBundle(f"{file} cannot be used: {error} Train it again.") from error


def _check_golden_rows(
    folder: Path, forest: Forest, rows: list[list[float]], scores: list[float], labels: list[int]
) -> None:
    """Check scores and labels of the golden rows against those of scikit-learn in training."""
    numbers = np.array(rows, np.float64)
    if numbers.shape != (len(rows), forest.n_features) or (np.abs(numbers) > LARGEST_NUMBER).any():
        raise ValueError(f"golden.rows must have {forest.n_features} numbers within float32 each")
    own_scores = forest.score(numbers)
    own_labels: NDArray[np.int64] = forest.label(own_scores)
    if not np.allclose(own_scores, scores, rtol=0, atol=SCORE_TOLERANCE) or own_labels.tolist() != labels:
        raise InvalidBundle(f"{folder} does not reproduce the scores of its training: train again on this machine.")
