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
from app.model.schema import LARGEST_NUMBER, Features
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


class StrictBoolean(fields.Boolean):
    """``true`` or ``false``; marshmallow's own field also accepts "yes", "on", 1 and more."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(f"expected true or false, got {json_type(value)}")
        return value


class StrictInteger(fields.Integer):
    """A whole number, also written as 1.0, as JSON Schema does; marshmallow's own field also accepts true and "1"."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        if type(value) is float and value.is_integer():
            return int(value)
        if type(value) is not int:
            raise ValidationError(f"expected a whole number, got {json_type(value)}")
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
        problems = {
            f"[{column}]": [f"{self.features.names[column]}: {problem}"]
            for column, number in enumerate(value)
            if (problem := find_problem_of_number(number))
        }
        if problems:
            raise ValidationError(problems)
        numbers: list[float] = value
        return numbers


class FeatureVectors(fields.Field[NDArray[np.float32]]):
    """The numbers of many rows, as one array of shape ``(n_rows, n_features)``.

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
    ) -> NDArray[np.float32]:
        if not isinstance(value, list) or not value:
            raise ValidationError("expected a list of at least one row")
        check_number_of_rows(len(value), self.max_rows)
        rows = _to_array(value, len(self.features))
        if rows is None:
            raise ValidationError(find_problems_of_rows(value, self.features))
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


def find_problems_of_rows(rows: Sequence[object], features: Features) -> dict[str, list[str]]:
    """Return the mistakes in rows, by path (``[17][1]`` for a number, ``[17]`` for a row); the first twenty."""
    problems: dict[str, list[str]] = {}
    for index, row in enumerate(rows):
        if len(problems) >= MAX_LISTED_PROBLEMS:
            break
        if problem := find_problem_of_row(row, features):
            problems[f"[{index}]"] = [problem]
            continue
        assert isinstance(row, list), "find_problem_of_row refuses everything else"
        for column, number in enumerate(row):
            if problem := find_problem_of_number(number):
                problems[f"[{index}][{column}]"] = [f"{features.names[column]}: {problem}"]
    return problems


def find_problem_of_row(row: object, features: Features) -> str | None:
    """Return what is wrong with a row as a whole, or None; its numbers are not checked."""
    if not isinstance(row, list):
        return f"expected a list of {len(features)} numbers, got {json_type(row)}"
    if len(row) != len(features.names):
        return f"expected {len(features)} numbers ({', '.join(features.names)}), got {len(row)}"
    return None


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


def _to_array(rows: list[Any], n_features: int) -> NDArray[np.float32] | None:
    """Return valid rows as one array, or None if any row is not valid."""
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
    return numbers.astype(np.float32).reshape(len(rows), n_features)
