"""The model bundle: one folder that holds everything about one trained model, written once and verified when read.

``manifest.json`` names the sha256 of every other file and carries a digest of itself, so that a byte which changed
anywhere is noticed. Nothing here unpickles: a bundle from a stranger can be wrong, it cannot run code.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidBundle
from app.model.confidence import LabelConfidence
from app.model.forest import Forest
from app.model.forest_arrays import ForestArrays
from app.model.schema import Features
from app.server.atomic_file import replacing

# Raised when an older service could no longer read a bundle.
FORMAT_VERSION = 1

MANIFEST_FILE, FOREST_FILE, REFERENCE_FILE = "manifest.json", "forest.npz", "reference.npz"

# A bundle has it only if there were enough training rows to calibrate drift detectors.
DRIFT_FILE = "drift.npz"

# The service opens these, so it checks these; `python -m training verify` checks every file.
FILES_OF_THE_SERVICE = (FOREST_FILE, REFERENCE_FILE)

# scikit-learn's scores are met to the last bit on the machine that trained; another processor's power function may
# round otherwise, by about 1e-16.
SCORE_TOLERANCE = 1e-12

_DIGEST_FIELD = "manifest_sha256"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle, as far as the service needs it.

    Parameters
    ----------
    folder
        Where it lies.
    name, version
        What the model is called, and which of its trainings this is.
    trained_at
        When it was trained, with time zone.
    features
        What a row consists of.
    forest
        The compiled trees.
    confidence
        How sure the labels are.
    manifest
        Everything else that training noted.
    """

    folder: Path
    name: str
    version: str
    trained_at: datetime
    features: Features
    forest: Forest
    confidence: LabelConfidence
    manifest: dict[str, Any]

    @property
    def has_drift(self) -> bool:
        """Whether drift detectors were calibrated for this model."""
        return DRIFT_FILE in self.manifest["files"]


def read_bundle(folder: Path) -> Bundle:
    """Open a bundle, check what the service reads of it, and let the forest prove itself on the golden rows.

    Parameters
    ----------
    folder
        ``models/<version>``, or a link to it.

    Raises
    ------
    InvalidBundle
        If a file is missing or was changed, the format is another one, or the forest does not give the scores and
        labels that scikit-learn gave in training. The message says what to do.
    """
    manifest = read_manifest(folder)
    optional = [DRIFT_FILE] if DRIFT_FILE in manifest["files"] else []
    for file in (*FILES_OF_THE_SERVICE, *optional):
        if problem := _find_problem(folder, file, manifest):
            raise InvalidBundle(problem)
    try:
        forest = Forest(_read_forest_arrays(folder / FOREST_FILE))
        features = Features(
            *(tuple(feature[key] for feature in manifest["features"]) for key in ("name", "low", "high"))
        )
        bundle = Bundle(
            folder=folder,
            name=manifest["name"],
            version=manifest["version"],
            trained_at=datetime.fromisoformat(manifest["trained_at"]),
            features=features,
            forest=forest,
            confidence=_read_confidence(folder / REFERENCE_FILE),
            manifest=manifest,
        )
        golden = manifest["golden"]
        _check_golden_rows(folder, forest, golden["rows"], golden["anomaly_score"], golden["is_inlier"])
    except (KeyError, TypeError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise InvalidBundle(f"{folder} cannot be read ({type(error).__name__}: {error}): train it again.") from error
    if len(features) != forest.n_features:
        raise InvalidBundle(
            f"{folder} names {len(features)} features, its forest has {forest.n_features}: train again."
        )
    return bundle


def find_problems(folder: Path) -> list[str]:
    """Check every file of a bundle; an empty list means that all is as it was written.

    Raises
    ------
    InvalidBundle
        If the manifest, which says what to check, cannot be trusted itself.
    """
    manifest = read_manifest(folder)
    problems = [_find_problem(folder, file, manifest) for file in manifest["files"]]
    present = {entry.name for entry in folder.iterdir()} - {MANIFEST_FILE}
    strangers = [f"{folder / name} is not in the manifest." for name in sorted(present - set(manifest["files"]))]
    return [problem for problem in problems if problem] + strangers


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read ``manifest.json`` and check its digest and format.

    Raises
    ------
    InvalidBundle
        If it is missing, is not a manifest, was changed, or is of a newer format.
    """
    file = folder / MANIFEST_FILE
    try:
        written = file.read_bytes()
        manifest = json.loads(written)
    except FileNotFoundError:
        raise InvalidBundle(f"{file} does not exist: train a model with `make train`.") from None
    except (OSError, ValueError) as error:
        raise InvalidBundle(f"{file} cannot be read ({error}): train again or go back to another version.") from error
    # The bytes are compared too: a digest of the values alone would let a changed blank or a doubled key pass.
    if (
        not isinstance(manifest, dict)
        or written != _to_bytes(manifest)
        or manifest.get(_DIGEST_FIELD) != _digest(manifest)
    ):
        raise InvalidBundle(f"{file} was changed after it was written: train again or go back to another version.")
    if manifest.get("format_version") != FORMAT_VERSION:
        raise InvalidBundle(
            f"{file} has format {manifest.get('format_version')}, this service reads {FORMAT_VERSION}: "
            "use the Isowatch release that wrote it, or train again."
        )
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Seal a bundle: add the sha256 of every file in ``folder`` and the manifest's own digest, then write it.

    Parameters
    ----------
    folder
        Where all other files already lie.
    manifest
        Strict JSON values only; ``files``, ``format_version`` and the digest are added here.
    """
    others = sorted(entry for entry in folder.iterdir() if entry.name != MANIFEST_FILE)
    sealed = manifest | {
        "format_version": FORMAT_VERSION,
        "files": {file.name: sha256_of(file) for file in others},
    }
    sealed[_DIGEST_FIELD] = _digest(sealed)
    with replacing(folder / MANIFEST_FILE) as unfinished:
        unfinished.write_bytes(_to_bytes(sealed))


def write_forest_arrays(file: Path, arrays: ForestArrays) -> None:
    """Write ``forest.npz``; the same arrays give the same bytes."""
    np.savez(file, allow_pickle=False, **arrays.as_dict())


def sha256_of(file: Path) -> str:
    """Hash a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _digest(manifest: dict[str, Any]) -> str:
    """Hash a manifest without the field that holds the hash."""
    rest = {key: value for key, value in manifest.items() if key != _DIGEST_FIELD}
    return hashlib.sha256(_to_bytes(rest)).hexdigest()


def _to_bytes(manifest: dict[str, Any]) -> bytes:
    """Lay a manifest out, the one way in which it is written; NaN and Infinity are no JSON."""
    return json.dumps(manifest, indent=1, allow_nan=False, ensure_ascii=False).encode() + b"\n"


def _find_problem(folder: Path, file: str, manifest: dict[str, Any]) -> str | None:
    """Say what is wrong with one file, if anything."""
    try:
        if sha256_of(folder / file) == manifest["files"].get(file):
            return None
    except OSError as error:
        return f"{folder / file} cannot be read ({error.strerror}): train again or go back to another version."
    return f"{folder / file} was changed after it was written: train again or go back to another version."


def _read_forest_arrays(file: Path) -> ForestArrays:
    """Load ``forest.npz`` without unpickling anything."""
    with np.load(file, allow_pickle=False) as arrays:
        return ForestArrays(**{part.name: arrays[part.name] for part in fields(ForestArrays)})


def _read_confidence(file: Path) -> LabelConfidence:
    """Make the table of confidences from the training scores in ``reference.npz``."""
    with np.load(file, allow_pickle=False) as arrays:
        return LabelConfidence(arrays["unique_scores"], arrays["counts"], int(arrays["n_flagged"]))


def _check_golden_rows(
    folder: Path, forest: Forest, rows: list[list[float]], scores: list[float], labels: list[int]
) -> None:
    """Score the rows whose answers scikit-learn gave in training; a forest that differs is not served."""
    own_scores = forest.score(rows)
    own_labels: NDArray[np.int64] = forest.label(own_scores)
    if not np.allclose(own_scores, scores, rtol=0, atol=SCORE_TOLERANCE) or own_labels.tolist() != labels:
        raise InvalidBundle(f"{folder} does not give the scores that training noted: train again on this machine.")
