"""Checks the values of a manifest that the service uses: digests only prove that nobody changed them since."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.model.encoding_check import check_encoding
from app.model.forest_arrays import MAX_TRAINING_ROWS
from app.model.schema import BOOLEAN, CATEGORY, MAX_FEATURES, MAX_LEVELS, NUMBER
from app.model.times import check_times

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
    if manifest.get("format_version") == 1:
        return
    _check_columns(manifest.get("columns"), manifest.get("quantile_levels"))
    check_encoding(manifest)
    threshold = manifest.get("threshold")
    are_numbers = isinstance(threshold, dict) and all(
        _is_number(threshold.get(unit)) for unit in ("score", "path_length_sum")
    )
    _require(are_numbers, "threshold must have the numbers score and path_length_sum")
    _require(type(manifest.get("has_out_of_bag_scores")) is bool, "has_out_of_bag_scores must be true or false")


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


def columns_to_record(manifest: Mapping[str, Any]) -> list[Any]:
    """Return what is needed to read a recorded row: its columns' names, each with its levels if it has any.

    Examples
    --------
    >>> columns_to_record({"columns": [{"name": "mean"}, {"name": "country", "levels": [{"level": "DE", "count": 9}]}]})
    ['mean', {'name': 'country', 'levels': ['DE']}]
    """
    columns = manifest.get("columns") or manifest["features"]
    return [
        {"name": column["name"], "levels": [each["level"] for each in column["levels"]]}
        if "levels" in column
        else column["name"]
        for column in columns
    ]


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


def _check_columns(columns: Any, levels: Any) -> None:
    """Check names, kinds, ranges, levels and quantiles of the input columns."""
    is_list = isinstance(columns, list) and all(isinstance(column, dict) for column in columns)
    _require(is_list and 1 <= len(columns) <= MAX_FEATURES, f"columns must be a list of 1 to {MAX_FEATURES} objects")
    names = [column.get("name") for column in columns]
    are_names = all(isinstance(name, str) and "\0" not in name for name in names) and len(set(names)) == len(names)
    _require(are_names, "columns must have different texts without NUL as name")
    _require(_is_ascending(levels) and 0 <= levels[0] <= levels[-1] <= 1, "quantile_levels must ascend within 0 to 1")
    for column in columns:
        name, kind, share = column["name"], column.get("kind"), column.get("share_missing")
        _require(kind in (NUMBER, CATEGORY, BOOLEAN), f"columns: {name} must have a kind: number, category or boolean")
        _require(_is_number(share) and 0 <= share <= 1, f"columns: {name} must have a share_missing in 0 to 1")
        may_miss = column.get("allow_missing", False)
        _require(type(may_miss) is bool, f"columns: {name}: allow_missing must be true or false")
        if kind == NUMBER:
            _check_numbers_of(name, column.get("range"), column.get("quantiles"), len(levels))
        else:
            _check_levels(name, column.get("levels"), str if kind == CATEGORY else bool)
            _require(check_times(column), f"columns: {name} must have a known form of times, and the hours as levels")


def _check_numbers_of(name: str, spread: Any, quantiles: Any, n_levels: int) -> None:
    """Check range and quantiles of a column of numbers; both are null if every value was missing."""
    if spread is None and quantiles is None:
        return
    ends = [spread.get("min"), spread.get("max")] if isinstance(spread, dict) else None
    _require(_is_ascending(ends), f"columns: {name} must have a range min <= max")
    is_grid = _is_ascending(quantiles) and len(quantiles) == n_levels
    _require(is_grid, f"columns: {name} must have an ascending quantile for each of quantile_levels")


def _check_levels(name: str, levels: Any, kind: type) -> None:
    """Check the levels of a category (texts) or boolean, and how many training rows had each."""
    are_levels = isinstance(levels, list) and all(
        isinstance(level, dict)
        and type(level.get("level")) is kind
        and type(level.get("count")) is int
        and 0 <= level["count"] <= MAX_TRAINING_ROWS
        for level in levels
    )
    _require(are_levels, f"columns: {name} must have levels, each with a level and the count of its training rows")
    distinct = {level["level"] for level in levels}
    is_number_right = len(distinct) == len(levels) and 1 <= len(levels) <= MAX_LEVELS
    _require(is_number_right, f"columns: {name} must have different levels, 1 to {MAX_LEVELS}")
    _require(
        kind is str or [level["level"] for level in levels] == [False, True],
        f"columns: {name} must have the levels false and true",
    )


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
        all(isinstance(row, list) and len(row) <= MAX_FEATURES and all(map(_is_number_or_null, row)) for row in rows),
        "golden.rows must be lists of finite numbers, or null for missing ones",
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


def _is_number_or_null(value: Any) -> bool:
    """Return whether a value is a finite number, or null."""
    return value is None or _is_number(value)


def _is_ascending(values: Any) -> bool:
    """Return whether a value is a list of numbers, at least one, none smaller than the one before."""
    is_list = isinstance(values, list) and len(values) >= 1 and all(map(_is_number, values))
    return is_list and all(low <= high for low, high in itertools.pairwise(values))


def _is_simple(value: Any) -> bool:
    """Return whether a value is one that the JSON encoder can write."""
    return value is None or isinstance(value, bool | str) or _is_number(value)
