"""The input columns of a model as training saw them, and how they become the features of its forest."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.model.times import encode_times

# A wider table is probably a wrong file (such as an identifier spread over columns). The forest would accept it, but
# pages, plots and metrics that name every feature would be unreadable.
MAX_FEATURES = 256

# scikit-learn compares float32 rows, so a larger number would silently become infinite.
LARGEST_NUMBER = float(np.finfo(np.float32).max)

# Of a column of numbers, training stores these quantiles: finer at both ends, where unusual values are.
QUANTILE_LEVELS = (0.0, 0.001, 0.01, 0.05, *(step / 10 for step in range(1, 10)), 0.95, 0.99, 0.999, 1.0)

_Float = TypeVar("_Float", bound=np.floating)

# The kinds of an input column.
NUMBER, CATEGORY, BOOLEAN = "number", "category", "boolean"

# The steps of an encoding: columns as they are; a feature per level; the share of training rows with the level; the
# operations of an imported pipeline on one column.
IDENTITY, ONE_HOT, FREQUENCY, TRANSFORM = "identity", "one_hot", "frequency", "transform"

# Rows are numbers: a category is the number of its level, counted from 0; a level that training did not see is this.
NEW_LEVEL = -1.0

# A category with more levels becomes one feature, as each one-hot feature of a forest is chosen equally often.
MAX_ONE_HOT_LEVELS = 20

# More levels than this are names or ids. The manifest lists all of them.
MAX_LEVELS = 10_000

# A level of a category is a text, that of a boolean a truth value.
Levels = tuple[str | bool, ...]


@dataclass(frozen=True)
class Features:
    """The input columns of a row, which are the forest's features unless the bundle has an encoding.

    Parameters
    ----------
    names
        Names in the order of a row's numbers, 1 to 256 of them, all different.
    low, high
        Smallest and largest value of each column in the training data, shape ``(n_columns,)``.
    levels
        The levels of each category or boolean, None for a column of numbers; empty if all columns are numbers.
    can_be_missing
        Whether a column may have no value; empty if none may.
    is_double
        Whether rows of numbers are float64: an imported pipeline computes with them before they are rounded.
    times
        How the training file wrote each column of times, which are levels, too; empty if there is none.

    Examples
    --------
    >>> features = Features.of(("mean", "sd"), np.array([[0.5, 0.2], [-0.1, 0.9]]))
    >>> features.low, features.high
    ((-0.1, 0.2), (0.5, 0.9))
    >>> len(features)
    2
    """

    names: tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    levels: tuple[Levels | None, ...] = ()
    can_be_missing: tuple[bool, ...] = ()
    is_double: bool = False
    times: tuple[str | None, ...] = ()

    @classmethod
    def of(cls, names: tuple[str, ...], rows: NDArray[np.floating]) -> Features:
        """Return the features of training ``rows``, shape ``(n_rows, n_features)``, with their ranges."""
        return cls(names, tuple(np.nanmin(rows, axis=0).tolist()), tuple(np.nanmax(rows, axis=0).tolist()))

    @classmethod
    def of_names(cls, names: tuple[str, ...]) -> Features:
        """Return columns of numbers of which nothing but the names is known; any value may be missing."""
        return cls(names, (0.0,) * len(names), (0.0,) * len(names), can_be_missing=(True,) * len(names))

    @classmethod
    def of_manifest(cls, manifest: Mapping[str, Any]) -> Features:
        """Return the input columns that a checked manifest describes; format 1 has only features."""
        if "columns" not in manifest:
            names, low, high = (
                tuple(feature[key] for feature in manifest["features"]) for key in ("name", "low", "high")
            )
            return cls(names, low, high)
        columns = manifest["columns"]
        ends = [column["range"] or {"min": 0.0, "max": 0.0} if column["kind"] == NUMBER else None for column in columns]
        levels = tuple(
            None if column["kind"] == NUMBER else tuple(level["level"] for level in column["levels"])
            for column in columns
        )
        missing = tuple(bool(column["share_missing"] or column.get("allow_missing")) for column in columns)
        times = tuple(column.get("time") for column in columns)
        is_double = any(step["step"] == TRANSFORM for step in manifest["encoding"])
        return cls(
            tuple(column["name"] for column in columns),
            tuple(end["min"] if end else 0.0 for end in ends),
            tuple(end["max"] if end else len(each or ()) - 1.0 for end, each in zip(ends, levels, strict=True)),
            levels if any(levels) else (),
            missing if any(missing) else (),
            is_double,
            times if any(times) else (),
        )

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def numbers_of_levels(self) -> tuple[dict[str | bool, float] | None, ...]:
        """The number of each level, by column; empty if all columns are numbers."""
        return tuple(
            None if levels is None else {level: float(number) for number, level in enumerate(levels)}
            for levels in self.levels
        )

    @property
    def dtype(self) -> type[np.floating]:
        """The type of the numbers of rows."""
        return np.float64 if self.levels or self.is_double else np.float32

    def may_be_missing(self, column: int) -> bool:
        """Return whether a column may have no value."""
        return bool(self.can_be_missing) and self.can_be_missing[column]

    def fill_missing(self, rows: NDArray[_Float]) -> NDArray[_Float]:
        """Replace missing values, for drift detectors, by a tenth of the range below it: they then rank lowest.

        Examples
        --------
        >>> features = Features(("mean",), (0.0,), (10.0,), can_be_missing=(True,))
        >>> features.fill_missing(np.array([[5.0], [np.nan]])).tolist()
        [[5.0], [-1.0]]
        """
        if not any(self.can_be_missing):
            return rows
        # Halves, as the width of the largest range is not a float.
        low, high = np.array(self.low), np.array(self.high)
        below = low - np.where(high > low, (high / 2 - low / 2) / 5, 1)
        filled: NDArray[_Float] = np.where(
            np.isnan(rows), np.clip(below, -LARGEST_NUMBER, LARGEST_NUMBER), rows
        ).astype(rows.dtype)
        return filled


def describe_columns(
    names: tuple[str, ...],
    rows: NDArray[np.floating],
    levels: Mapping[str, Levels] | None = None,
    allow_missing: bool | Collection[str] = False,
    max_levels: int = MAX_ONE_HOT_LEVELS,
    times: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Describe input columns, and their encoding, for the manifest.

    Parameters
    ----------
    names
        The columns, in the order of the rows' numbers.
    rows
        Training rows, shape ``(n_rows, n_columns)``; a missing value is NaN, a category the number of its level.
    levels
        The levels of each category and boolean.
    allow_missing
        Whether a value may be missing in columns that have all values here, or in which of them.
    max_levels
        A category with more levels becomes their shares.
    times
        How each column of times is written; its levels are the hours of the week.

    Returns
    -------
    Strict JSON values under ``columns``, ``quantile_levels`` and ``encoding``.

    Examples
    --------
    >>> described = describe_columns(("mean",), np.array([[0.5], [np.nan], [1.5], [2.5]]))
    >>> described["columns"][0]["share_missing"], described["columns"][0]["range"]
    (0.25, {'min': 0.5, 'max': 2.5})
    >>> described["encoding"]
    [{'step': 'identity', 'columns': ['mean']}]
    >>> rows = np.array([[0.5, 0], [0.7, 1], [0.4, 0], [0.9, 1]])
    >>> describe_columns(("mean", "country"), rows, {"country": ("DE", "FR")})["encoding"][1]
    {'step': 'one_hot', 'column': 'country', 'levels': ['DE', 'FR'], 'infrequent': False}
    """
    columns: list[dict[str, Any]] = []
    encoding: list[dict[str, Any]] = []
    for name, values in zip(names, rows.T, strict=True):
        present = values[~np.isnan(values)]
        column: dict[str, Any] = {"name": name, "kind": NUMBER, "share_missing": 1 - len(present) / len(values)}
        if allow_missing if isinstance(allow_missing, bool) else name in allow_missing:
            column["allow_missing"] = True
        if found := (levels or {}).get(name):
            counts = np.bincount(present[present >= 0].astype(np.int64), minlength=len(found)).tolist()
            column["kind"] = BOOLEAN if type(found[0]) is bool else CATEGORY
            column["levels"] = [{"level": level, "count": n} for level, n in zip(found, counts, strict=True)]
        else:
            column["range"] = {"min": float(present.min()), "max": float(present.max())} if present.size else None
            column["quantiles"] = _find_quantiles(present) if present.size else None
        columns.append(column)
        if name in (times or {}):
            column["time"] = (times or {})[name]
            encoding.append(encode_times(name))
        elif column["kind"] == CATEGORY:
            encoding.append(_encode_category(column, max_levels))
        elif encoding and encoding[-1]["step"] == IDENTITY:
            encoding[-1]["columns"].append(name)
        else:
            encoding.append({"step": IDENTITY, "columns": [name]})
    return {"columns": columns, "quantile_levels": list(QUANTILE_LEVELS), "encoding": encoding}


def _encode_category(column: dict[str, Any], max_levels: int) -> dict[str, Any]:
    """Return the step that makes features of a category: one per level, or the share of each if there are too many."""
    ordered = sorted(column["levels"], key=lambda level: -level["count"])
    if len(ordered) > max_levels:
        return {"step": FREQUENCY, "column": column["name"]}
    # A level of a single training row cannot be split from the others: one feature for all of them.
    frequent = [level["level"] for level in ordered if level["count"] > 1] or [ordered[0]["level"]]
    return {
        "step": ONE_HOT,
        "column": column["name"],
        "levels": frequent,
        "infrequent": len(frequent) < len(ordered),
    }


def _find_quantiles(values: NDArray[np.floating]) -> list[float]:
    """Return values of training rows at the levels; the difference of two extreme ones may not be a float."""
    quantiles: list[float] = np.quantile(values, QUANTILE_LEVELS, method="inverted_cdf").tolist()
    return quantiles
