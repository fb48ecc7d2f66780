"""Fields that take exactly what JSON says: no string that looks like a number, no 1 that stands for true.

``segment``: what kind of caller asks, in its own words, so that kinds can be compared.

Many rows at once: from decoded JSON, or from text, to one array of numbers, naming every bad one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields
from numpy.typing import NDArray

from app.errors import BodyTooLarge
from app.model.schema import LARGEST_NUMBER, Features
from app.web.validation import find_problem_of_number, find_problem_of_row, json_type, refuse


class StrictBoolean(fields.Boolean):
    """``true`` or ``false``; marshmallow's own field also takes "yes", "on", 1 and more."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError(f"expected true or false, got {json_type(value)}")
        return value


class FeatureVector(fields.Field[list[float]]):
    """The numbers of one row, in the order of the model's features.

    Parameters
    ----------
    features
        What a row consists of; a row must have exactly these numbers.
    """

    def __init__(self, features: Features, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.features = features

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[float]:
        if problem := find_problem_of_row(value, self.features):
            raise ValidationError(problem)
        problems = {
            f"[{place}]": [f"{self.features.names[place]}: {problem}"]
            for place, number in enumerate(value)
            if (problem := find_problem_of_number(number))
        }
        if problems:
            raise ValidationError(problems)
        numbers: list[float] = value
        return numbers


# As app.db.tables has it, which a worker does not load.
SEGMENT_CHARACTERS = 64

# It stands in metrics, log lines and tables: nothing that moves the cursor, and no blank that nobody sees. The OpenAPI
# document says it with the same words.
SEGMENT_PATTERN = (
    r"^[^\x00-\x20\x7f-\xa0]([^\x00-\x1f\x7f-\x9f]{0," + str(SEGMENT_CHARACTERS - 2) + r"}[^\x00-\x20\x7f-\xa0])?$"
)
_SEGMENT = re.compile(SEGMENT_PATTERN)

SEGMENT_MEANING = (
    "What kind of caller asks (a country, an app's version), so that kinds can be compared. It does not change the "
    "answer."
)


class Segment(fields.Field[str]):
    """1 to 64 characters; empty if left out."""

    def __init__(self, **kwargs: Any) -> None:
        described = {
            "type": "string",
            "minLength": 1,
            "maxLength": SEGMENT_CHARACTERS,
            "pattern": SEGMENT_PATTERN,
            "description": SEGMENT_MEANING,
            "example": "DE",
        }
        # Made by a call, so that the document names no default that its own pattern refuses.
        super().__init__(load_default=str, metadata=described, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        if problem := find_problem_of_segment(value):
            raise ValidationError(problem)
        segment: str = value
        return segment


def find_problem_of_segment(value: object) -> str | None:
    r"""Say why a value is no segment, if so.

    Examples
    --------
    >>> find_problem_of_segment("DE")
    >>> find_problem_of_segment(49)
    'expected a string, got a number'
    >>> find_problem_of_segment("a\nb")
    'expected 1 to 64 characters, no control character, and no blank at either end'
    """
    if not isinstance(value, str):
        return f"expected a string, got {json_type(value)}"
    if not _SEGMENT.fullmatch(value):
        return f"expected 1 to {SEGMENT_CHARACTERS} characters, no control character, and no blank at either end"
    return None


def read_segment(given: list[str]) -> str:
    """Take the segment from an address, which names it once or not at all.

    Parameters
    ----------
    given
        Each ``segment`` of the address.

    Raises
    ------
    InvalidPredictionRequest
        If it is none, or there are several.
    """
    if not given:
        return ""
    if len(given) > 1:
        raise refuse({"segment": [f"expected one, got {len(given)}"]})
    if problem := find_problem_of_segment(given[0]):
        raise refuse({"segment": [problem]})
    return given[0]


# A caller mends a mistake in his program after the first few; all of ten thousand would be a heavy answer.
_MOST_PROBLEMS_TOLD = 20

_NUMBER_TYPES = {float, int}


class FeatureVectors(fields.Field[NDArray[np.float32]]):
    """The numbers of many rows, as one array of shape ``(n_rows, n_features)``.

    All rows are looked at in a few passes that run in C; only when something is wrong, row after row is asked what.

    Parameters
    ----------
    features
        What a row consists of.
    max_rows
        Most rows that are taken at once.
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
            raise ValidationError(find_problems(value, self.features))
        return rows


def check_number_of_rows(n_rows: int, max_rows: int) -> None:
    """Refuse more rows than are taken at once.

    Raises
    ------
    BodyTooLarge
        If there are more; the message says how many are taken.
    """
    if n_rows > max_rows:
        raise BodyTooLarge(f"The request has {n_rows} rows: send at most {max_rows} at once (MAX_BATCH_ROWS).")


def find_problems(rows: Sequence[object], features: Features) -> dict[str, list[str]]:
    """Name what is wrong with rows: ``[17][1]`` for a number, ``[17]`` for a row; the first twenty."""
    problems: dict[str, list[str]] = {}
    for place, row in enumerate(rows):
        if len(problems) >= _MOST_PROBLEMS_TOLD:
            break
        if problem := find_problem_of_row(row, features):
            problems[f"[{place}]"] = [problem]
            continue
        assert isinstance(row, list), "no other row is without a problem"
        for column, number in enumerate(row):
            if problem := find_problem_of_number(number):
                problems[f"[{place}][{column}]"] = [f"{features.names[column]}: {problem}"]
    return problems


def _to_array(rows: list[Any], n_features: int) -> NDArray[np.float32] | None:
    """Make one array of good rows; None if any is bad."""
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {n_features}:
        return None
    # The types are looked at, because NumPy would take true for 1 and "2" for 2.
    if not set(map(type, chain.from_iterable(rows))) <= _NUMBER_TYPES:
        return None
    try:
        numbers = np.fromiter(chain.from_iterable(rows), np.float64, len(rows) * n_features)
    except OverflowError:  # a whole number that no float holds
        return None
    # Also false for a NaN.
    if not (np.abs(numbers) <= LARGEST_NUMBER).all():
        return None
    return numbers.astype(np.float32).reshape(len(rows), n_features)
