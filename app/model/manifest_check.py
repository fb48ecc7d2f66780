"""Checks the values of a manifest that the service uses: digests only prove that nobody changed them since."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from app.model.confidence import MAX_TRAINING_ROWS
from app.model.schema import MAX_FEATURES

# Training writes 32. They are scored whenever a bundle is loaded.
_MAX_GOLDEN_ROWS = 1000

# Goes into the header X-Model-Version, into paths and labels.
_VERSION = re.compile(r"[!-~]{1,200}")
_MAX_NAME_LENGTH = 200

# Times of other years cannot be converted to every time zone.
_YEARS = range(1970, 9999)

_INT64 = range(-(2**63), 2**63)


def check_manifest(manifest: dict[str, Any]) -> None:
    r"""Check the values that the service uses.

    Parameters
    ----------
    manifest
        The manifest, whose digest is right.

    Raises
    ------
    ValueError
        If a value is missing, of another type, or out of range; the message names it.

    Examples
    --------
    >>> check_manifest({"name": "credits", "version": "v1\r\nSet-Cookie: a"})
    Traceback (most recent call last):
    ValueError: version must be 1 to 200 visible ASCII characters
    """
    name, version = manifest.get("name"), manifest.get("version")
    is_name = isinstance(name, str) and name.isprintable() and 1 <= len(name) <= _MAX_NAME_LENGTH
    _require(is_name, f"name must be 1 to {_MAX_NAME_LENGTH} printable characters")
    is_version = isinstance(version, str) and _VERSION.fullmatch(version) is not None
    _require(is_version, "version must be 1 to 200 visible ASCII characters")
    _require(_is_time(manifest.get("trained_at")), "trained_at must be a time with its zone, such as 2026-01-31T12:00Z")
    _check_features(manifest.get("features"))
    _check_training(manifest.get("training"))
    _check_golden(manifest.get("golden"))
    parameters = manifest.get("parameters")
    are_parameters = isinstance(parameters, dict) and all(map(_is_simple, parameters.values()))
    _require(are_parameters, "parameters must have numbers, texts, true, false or null as values")


def has_plain_files(manifest: dict[str, Any]) -> bool:
    """Return whether ``files`` maps names of files in the bundle's own folder to digests.

    Examples
    --------
    >>> has_plain_files({"files": {"forest.npz": "00"}}), has_plain_files({"files": {"../../etc/passwd": "00"}})
    (True, False)
    """
    files = manifest.get("files")
    return isinstance(files, dict) and all(
        isinstance(digest, str) and name not in ("", ".", "..") and "/" not in name and "\0" not in name
        for name, digest in files.items()
    )


def _require(holds: bool, rule: str) -> None:
    """Raise an error with the rule unless it holds."""
    if not holds:
        raise ValueError(rule)


def _check_features(features: Any) -> None:
    """Check names and ranges of the features."""
    is_list = isinstance(features, list) and all(isinstance(feature, dict) for feature in features)
    _require(is_list and 1 <= len(features) <= MAX_FEATURES, f"features must be a list of 1 to {MAX_FEATURES} objects")
    names = [feature.get("name") for feature in features]
    # PostgreSQL stores no NUL.
    are_names = all(isinstance(name, str) and "\0" not in name for name in names) and len(set(names)) == len(names)
    _require(are_names, "features must have different texts without NUL as name")
    for feature in features:
        low, high = feature.get("low"), feature.get("high")
        _require(_is_number(low) and _is_number(high) and low <= high, "features must have numbers low <= high")


def _check_training(training: Any) -> None:
    """Check what the service reports about the training rows."""
    _require(isinstance(training, dict), "training must be an object")
    rows, share = training.get("rows"), training.get("flagged_share")
    _require(type(rows) is int and 1 <= rows <= MAX_TRAINING_ROWS, "training.rows must be a number of rows")
    _require(isinstance(training.get("sha256"), str), "training.sha256 must be a text")
    _require(_is_number(share) and 0 <= share <= 1, "training.flagged_share must be in 0 to 1")


def _check_golden(golden: Any) -> None:
    """Check the form of the golden rows; the caller compares them with the forest."""
    _require(isinstance(golden, dict), "golden must be an object")
    rows, scores, labels = (golden.get(key) for key in ("rows", "anomaly_score", "is_inlier"))
    are_lists = all(isinstance(part, list) for part in (rows, scores, labels))
    _require(
        are_lists and 1 <= len(rows) <= _MAX_GOLDEN_ROWS and len(rows) == len(scores) == len(labels),
        f"golden must have 1 to {_MAX_GOLDEN_ROWS} rows, and as many scores and labels",
    )
    _require(
        all(isinstance(row, list) and len(row) <= MAX_FEATURES and all(map(_is_number, row)) for row in rows),
        "golden.rows must be lists of finite numbers",
    )
    _require(all(map(_is_number, scores)), "golden.anomaly_score must be numbers")
    _require(all(type(label) is int and label in (1, -1) for label in labels), "golden.is_inlier must be 1 or -1")


def _is_time(text: Any) -> bool:
    """Return whether a text is a time with its zone."""
    try:
        time = datetime.fromisoformat(text)
        return time.tzinfo is not None and time.astimezone(UTC).year in _YEARS
    except (TypeError, ValueError, OverflowError):
        return False


def _is_number(value: Any) -> bool:
    """Return whether a value is a finite number; an integer may be too large for a float."""
    if type(value) is int:
        return value in _INT64
    return type(value) is float and math.isfinite(value)


def _is_simple(value: Any) -> bool:
    """Return whether a value is one that the JSON encoder can write."""
    return value is None or isinstance(value, bool | str) or _is_number(value)
