"""What can be wrong with a row or with one of its numbers, in words."""

from __future__ import annotations

import math

from app.model.features import LARGEST_NUMBER, Features


def find_problem_of_row(row: object, features: Features) -> str | None:
    """Say why a JSON value is no row of the model, if so; its numbers are not looked at."""
    if not isinstance(row, list):
        return f"expected a list of {len(features)} numbers, got {json_type(row)}"
    if len(row) != len(features):
        return f"expected {len(features)} numbers ({', '.join(features.names)}), got {len(row)}"
    return None


def find_problem_of_number(number: object) -> str | None:
    """Say why a JSON value is no number that the forest can compare, if so.

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
