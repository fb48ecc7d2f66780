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
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from app.errors import InvalidBundle, count_of
from app.model.confidence import LabelConfidence, read_confidence
from app.model.forest import Forest
from app.model.forest_arrays import ForestArrays
from app.model.forest_file import check_golden_rows, read_forest
from app.model.manifest_check import check_manifest, has_plain_files
from app.model.out_of_bag import OutOfBagScores, read_out_of_bag_scores
from app.model.schema import Features
from app.server.array_file import MAX_BYTES
from app.server.atomic_file import replacing
from app.server.regular_file import open_regular, read_regular

if TYPE_CHECKING:
    from app.model.explain import Explainer
    from app.model.scoring import KnownValues

# Incremented when an older service could no longer read a bundle; docs/bundle.md describes the formats.
FORMAT_VERSION = 2
READABLE_FORMATS = (1, 2)

MANIFEST_FILE, FOREST_FILE, REFERENCE_FILE = "manifest.json", "forest.npz", "reference.npz"

# Missing if there were too few training rows to calibrate drift detectors.
DRIFT_FILE = "drift.npz"

# The service opens, and so checks, only these; `python -m training verify` checks every file.
FILES_OF_THE_SERVICE = (FOREST_FILE, REFERENCE_FILE)

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
        The input columns of a row.
    forest
        The compiled trees.
    confidence
        Computes the confidence of labels.
    out_of_bag
        The out-of-bag scores of the training rows; None if there are too few, and in a bundle of format 1.
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
    out_of_bag: OutOfBagScores | None
    manifest: dict[str, Any]

    @cached_property
    def explainer(self) -> Explainer:
        """Explains scores; built when first needed, as most processes never explain.

        Raises
        ------
        CannotExplain
            If the bundle is of format 1.
        """
        from app.model.explain import Explainer

        return Explainer(self.forest, self.manifest, self.out_of_bag)

    @cached_property
    def known_values(self) -> KnownValues:
        """Finds the values of rows that are unlike those in training."""
        from app.model.scoring import KnownValues

        return KnownValues.of(self)


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle: check the files that the service uses, and score the golden rows.

    Parameters
    ----------
    folder
        ``models/<version>``, or a link to it.

    Raises
    ------
    InvalidBundle
        If a file is missing or was changed, the format is unknown, a value is of another type or out of range, or an
        answer to the golden rows differs from scikit-learn's in training.
    """
    manifest = read_manifest(folder)
    with _refusing(folder):
        check_manifest(manifest)
        with _open_verified(folder, FOREST_FILE, manifest) as opened:
            forest = read_forest(folder / FOREST_FILE, opened, manifest)
        with _open_verified(folder, REFERENCE_FILE, manifest) as opened:
            confidence = read_confidence(opened)
            out_of_bag = read_out_of_bag_scores(opened) if manifest.get("has_out_of_bag_scores") else None
        if DRIFT_FILE in manifest["files"]:
            with _open_verified(folder, DRIFT_FILE, manifest):
                pass  # the recorder reads it
        features = Features.of_manifest(manifest)
        if len(manifest["features"]) != forest.n_features:
            named = count_of(len(manifest["features"]), "feature")
            raise InvalidBundle(f"{folder} names {named}, its forest has {forest.n_features}: train again.")
        check_golden_rows(folder, forest, manifest["golden"])
        return Bundle(
            folder=folder,
            name=manifest["name"],
            version=manifest["version"],
            trained_at=datetime.fromisoformat(manifest["trained_at"]),
            features=features,
            forest=forest,
            confidence=confidence,
            out_of_bag=out_of_bag,
            manifest=manifest,
        )


def find_problems(folder: Path, *, needs_signature: bool = True) -> list[str]:
    """Check every file of a bundle and return the problems, if any; raises errors as :func:`read_manifest`."""
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
    version = manifest.get("format_version")
    # True equals 1.
    if type(version) is not int or version not in READABLE_FORMATS:
        raise InvalidBundle(
            f"{file} has format {version}, this service reads {' and '.join(map(str, READABLE_FORMATS))}: "
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
        Strict JSON values only; ``files`` and the digest are written anew, and ``format_version`` if it is missing.
    """
    others = sorted(entry for entry in folder.iterdir() if entry.name != MANIFEST_FILE)
    version = manifest.get("format_version", FORMAT_VERSION)
    sealed = manifest | {"format_version": version, "files": {file.name: sha256_of(file) for file in others}}
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
