"""Fields that take exactly what JSON says: no string that looks like a number, no 1 that stands for true."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields

from app.model.features import LARGEST_NUMBER, Features


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
        if not isinstance(value, list):
            raise ValidationError(f"expected a list of {len(self.features)} numbers, got {json_type(value)}")
        if len(value) != len(self.features):
            names = ", ".join(self.features.names)
            raise ValidationError(f"expected {len(self.features)} numbers ({names}), got {len(value)}")
        problems = {place: problem for place, number in enumerate(value) if (problem := _find_problem(number))}
        if problems:
            # marshmallow keeps the messages of a list under the places of its items.
            raise ValidationError(
                {place: [f"{self.features.names[place]}: {text}"] for place, text in problems.items()}
            )
        return value


def json_type(value: object) -> str:
    """Name what a JSON value is, in the words of JSON.

    Examples
    --------
    >>> json_type(None), json_type([]), json_type(True), json_type(1.5)
    ('null', 'a list', 'a boolean', 'a number')
    """
    names = {
        bool: "a boolean",
        str: "a string",
        list: "a list",
        dict: "an object",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), "null")


def _find_problem(number: object) -> str | None:
    """Say why a JSON value is no number that the forest can compare, if so."""
    if type(number) is not float and type(number) is not int:
        return f"expected a number, got {json_type(number)}"
    if isinstance(number, float) and not math.isfinite(number):
        return "expected a finite number"
    if not -LARGEST_NUMBER <= number <= LARGEST_NUMBER:
        return f"expected a number between -{LARGEST_NUMBER:g} and {LARGEST_NUMBER:g}"
    return None
