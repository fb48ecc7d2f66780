"""Fields that take exactly what JSON says: no string that looks like a number, no 1 that stands for true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from app.model.features import Features
from app.schemas.row_problems import find_problem_of_number, find_problem_of_row, json_type


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
