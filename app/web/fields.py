"""marshmallow fields that accept exactly what JSON says: no string that looks like a number, no 1 that means true."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields
from numpy.typing import NDArray

from app.errors import BodyTooLarge
from app.model.schema import LARGEST_NUMBER, NEW_LEVEL, Features, Levels
from app.model.times import describe_form, read_hour
from app.model.values import is_missing, read_boolean, read_level
from app.web.validation import MAX_LISTED_PROBLEMS, json_type

# The length of the column in app.db.tables, which a worker does not load.
SEGMENT_CHARACTERS = 64

# A segment appears in metrics, log lines and tables, so it has no control characters and no blanks at its ends. The
# OpenAPI document contains the same pattern.
SEGMENT_PATTERN = (
    r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]{0," + str(SEGMENT_CHARACTERS - 2) + r"}[^\x00-\x20\x7f-\xa0])?$"
)
_SEGMENT = re.compile(SEGMENT_PATTERN)

SEGMENT_EXPECTED = f"1 to {SEGMENT_CHARACTERS} characters, no control character, and no blank at either end"

SEGMENT_DESCRIPTION = (
    "The kind of caller (a country, an app's version), so that kinds can be compared. It does not change the answer."
)

# Row numbers are stored in PostgreSQL's integer columns, whose largest value this is.
MAX_ROW_NUMBER = 2**31 - 1

_NUMBER_TYPES = {float, int}

# Why null is refused. Cells of CSV may be blank, or NA and the like, and mean the same.
NO_NULL = (
    "got null: training had a value in every row; train with --allow-missing, or import a pipeline with a SimpleImputer"
)


class StrictBoolean(fields.Boolean):
    """``true`` or ``false``; marshmallow's own field also accepts "yes", "on", 1 and more."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(f"expected true or false, got {json_type(value)}")
        return value


class StrictInteger(fields.Integer):
    """A whole number, also written as 1.0, as JSON Schema does; marshmallow's own field also accepts true and "1".

    Parameters
    ----------
    expected
        The expected number in words, for anything that is none.
    """

    def __init__(self, expected: str = "a whole number", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._expected = expected

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if type(value) is float and value.is_integer():
            return int(value)
        if type(value) is not int:
            raise ValidationError(f"expected {self._expected}, got {json_type(value)}")
        return value


class Segment(fields.Field[str]):
    """The caller's segment: 1 to 64 characters; empty if absent."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {
            "type": "string",
            "minLength": 1,
            "maxLength": SEGMENT_CHARACTERS,
            "pattern": SEGMENT_PATTERN,
            "description": SEGMENT_DESCRIPTION,
            "example": "DE",
        }
        # A callable default does not appear in the OpenAPI document, where the pattern would contradict it.
        super().__init__(load_default=str, metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(f"expected a string, got {json_type(value)}")
        if parse_segment(value) is None:
            raise ValidationError(f"expected {SEGMENT_EXPECTED}")
        return value


def parse_segment(text: str) -> str | None:
    r"""Return a text if it is a valid segment, else None.

    Examples
    --------
    >>> parse_segment("DE")
    'DE'
    >>> parse_segment("a\nb")
    """
    return text if _SEGMENT.fullmatch(text) else None


class FeatureVector(fields.Field[list[float]]):
    """The numbers of one row, in the order of the model's features.

    Parameters
    ----------
    features
        The model's features; a row has exactly one number for each.
    """

    def __init__(self, features: Features, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = features

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[float]:
        if problem := find_problem_of_row(value, self.features):
            raise ValidationError(problem)
        numbers, problems = read_values(value, self.features)
        if problems:
            raise ValidationError(problems)
        return numbers


class FeatureVectors(fields.Field[NDArray[np.floating]]):
    """The values of many rows, as one array of shape ``(n_rows, n_columns)``.

    Valid rows are checked in a few passes that run in C. Rows are checked one by one only to report mistakes.

    Parameters
    ----------
    features
        The model's features.
    max_rows
        Maximum number of rows in one request.
    """

    def __init__(self, features: Features, max_rows: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features, self.max_rows = features, max_rows

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> NDArray[np.floating]:
        if not isinstance(value, list) or not value:
            raise ValidationError("expected a list of at least one row")
        check_number_of_rows(len(value), self.max_rows)
        rows, problems = read_rows(value, self.features)
        if problems:
            raise ValidationError(problems)
        return rows


def check_number_of_rows(n_rows: int, max_rows: int) -> None:
    """Refuse a request with too many rows.

    Raises
    ------
    BodyTooLarge
        If there are more than ``max_rows``; the message names the limit.
    """
    if n_rows > max_rows:
        raise BodyTooLarge(f"The request has {n_rows} rows: send at most {max_rows} at once (MAX_BATCH_ROWS).")


def read_rows(rows: Sequence[object], features: Features) -> tuple[NDArray[np.floating], dict[str, list[str]]]:
    """Return rows as an array, and the mistakes in them by path (``[17][1]`` for a value, ``[17]`` for a row).

    Returns
    -------
    Shape ``(n_rows, n_columns)``, of the type of ``features``; empty if there are mistakes. Of these, the first twenty.
    """
    plain = None if features.levels else _to_array(rows, features)
    if plain is not None:
        return plain, {}
    problems: dict[str, list[str]] = {}
    read: list[list[float]] = []
    for index, row in enumerate(rows):
        if len(problems) >= MAX_LISTED_PROBLEMS:
            break
        if problem := find_problem_of_row(row, features):
            problems[f"[{index}]"] = [problem]
            continue
        assert isinstance(row, list), "find_problem_of_row refuses everything else"
        numbers, of_row = read_values(row, features)
        problems |= {f"[{index}]{place}": problem for place, problem in of_row.items()}
        read.append(numbers)
    if problems:
        return np.empty((0, len(features))), problems
    return np.array(read, features.dtype), {}


def read_values(row: Sequence[object], features: Features) -> tuple[list[float], dict[str, list[str]]]:
    """Return the numbers of a row with a value for each column, and the mistakes by path (``[1]``)."""
    read = [read_value(features, column, value) for column, value in enumerate(row)]
    problems = {
        f"[{column}]": [f"{features.names[column]}: {value}"]
        for column, value in enumerate(read)
        if isinstance(value, str)
    }
    return [] if problems else read, problems  # type: ignore[return-value]


def read_value(features: Features, column: int, value: object) -> float | str:
    """Return the number that stands for a value in a row, or a text that says why there is none.

    Parameters
    ----------
    features
        The model's input columns.
    column
        The number of the column.
    value
        A decoded JSON value: a number, a text, true, false, or None if it is missing.

    Returns
    -------
    The value of a number; the number of a level, -1 for a new one; 0 and 1 for false and true; NaN if it is missing.

    Examples
    --------
    >>> features = Features(("mean", "country"), (0, 0), (1, 1), (None, ("DE", "FR")), (True, False))
    >>> read_value(features, 0, 0.5), read_value(features, 0, None), read_value(features, 0, "0.5")
    (0.5, nan, 'expected a number, got a string')
    >>> read_value(features, 1, "FR"), read_value(features, 1, "IT")
    (1.0, -1.0)
    """
    levels = features.levels[column] if features.levels else None
    if value is None or (levels is not None and is_missing(value, is_number=False)):
        return math.nan if features.may_be_missing(column) else f"expected {_expected(levels)}, {NO_NULL}"
    if levels is None:
        return find_problem_of_number(value) or value  # type: ignore[return-value]
    if features.times and (form := features.times[column]):
        hour = read_hour(value, form)
        return f"expected {describe_form(form)}, got {json_type(value)}" if hour is None else hour
    level = read_boolean(value) if type(levels[0]) is bool else read_level(value)
    if level is None:
        return f"expected {_expected(levels)}, got {json_type(value)}"
    numbers = features.numbers_of_levels[column]
    assert numbers is not None, "it has levels"
    return numbers.get(level, NEW_LEVEL)


def _expected(levels: Levels | None) -> str:
    """Return what a column holds, for messages."""
    return "a number" if levels is None else "true or false" if type(levels[0]) is bool else "a text"


def find_problem_of_row(row: object, features: Features) -> str | None:
    """Return what is wrong with a row as a whole, or None; its numbers are not checked."""
    if not isinstance(row, list):
        return f"expected a list of {len(features)} {_called(features)}, got {json_type(row)}"
    if len(row) != len(features.names):
        return f"expected {len(features)} {_called(features)} ({', '.join(features.names)}), got {len(row)}"
    return None


def _called(features: Features) -> str:
    """Return what the values of a row are called in messages."""
    return "values" if features.levels else "numbers"


def find_problem_of_number(number: object) -> str | None:
    """Return why a JSON value cannot be compared by the forest, or None.

    Examples
    --------
    >>> find_problem_of_number(0.5)
    >>> find_problem_of_number("0.5")
    'expected a number, got a string'
    """
    if type(number) is not float and type(number) is not int:
        return f"expected a number, got {json_type(number)}"
    if isinstance(number, float) and not math.isfinite(number):
        return "not a finite number"
    if not -LARGEST_NUMBER <= number <= LARGEST_NUMBER:
        return f"expected a number between -{LARGEST_NUMBER:g} and {LARGEST_NUMBER:g}"
    return None


def _to_array(rows: Sequence[Any], features: Features) -> NDArray[np.floating] | None:
    """Return valid rows of numbers as one array, or None if any row is not valid, or has a missing value."""
    n_features = len(features)
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {n_features}:
        return None
    # NumPy would convert true to 1 and "2" to 2, so types are checked first.
    if not set(map(type, chain.from_iterable(rows))) <= _NUMBER_TYPES:
        return None
    try:
        numbers = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * n_features)
    except OverflowError:  # a whole number that no float holds
        return None
    # This comparison is also false for NaN.
    if not (np.abs(numbers) <= LARGEST_NUMBER).all():
        return None
    return numbers.astype(features.dtype, copy=False).reshape(len(rows), n_features)
