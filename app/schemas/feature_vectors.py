"""Many rows at once: from decoded JSON, or from text, to one array of numbers, naming every bad one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields
from numpy.typing import NDArray

from app.errors import BodyTooLarge
from app.model.features import LARGEST_NUMBER, Features
from app.schemas.row_problems import find_problem_of_number, find_problem_of_row

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
