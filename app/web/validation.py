"""From a decoded body to the values that a route works with, or to a refusal that names every mistake.

What can be wrong with a row or with one of its numbers, in words.

What marshmallow found wrong, as a flat list that names each place.

What may stand behind the path of an address: whole numbers, each under a name that is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from marshmallow import Schema, ValidationError

from app.errors import FieldError, InvalidPredictionRequest, InvalidQuery
from app.model.schema import LARGEST_NUMBER, Features


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


def name_places(messages: dict[str, Any]) -> list[FieldError]:
    """Flatten marshmallow's nested messages.

    Parameters
    ----------
    messages
        What ``ValidationError.normalized_messages`` gives.

    Examples
    --------
    >>> name_places({"inputs": {0: {"shape": {1: ["Not a valid integer."]}}}, "id": ["Not a valid string."]})
    [{'field': 'inputs[0].shape[1]', 'message': 'Not a valid integer.'},
     {'field': 'id', 'message': 'Not a valid string.'}]
    """
    return [{"field": place, "message": text} for place, text in _walk(messages, "")]


def _walk(found: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield each place below ``place`` with what is wrong there."""
    if isinstance(found, list):
        yield from ((place, text) for text in found)
        return
    for key, below in found.items():
        # Fields have names, the items of a list have numbers.
        step = f"[{key}]" if isinstance(key, int) else f".{key}" if place else key
        yield from _walk(below, place + step)


# Where in a list of rows something is wrong: the row first.
_ROW_OF_PLACE = re.compile(r"\[(\d+)\]")

# The field that holds many rows; in the others, the first number in brackets is a column.
_FIELD_OF_ROWS = "feature_vectors"


def load_body(body: object, schema: Schema) -> dict[str, Any]:
    """Load ``body``, any JSON value, with ``schema``.

    Raises
    ------
    InvalidPredictionRequest
        With one entry for everything that is wrong.
    """
    if not isinstance(body, dict):
        required = ", ".join(name for name, field in schema.fields.items() if field.required)
        message = f"expected an object with {required}, got {json_type(body)}"
        raise InvalidPredictionRequest(message, [{"field": "", "message": message}])
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise refuse(error.normalized_messages()) from None
    return loaded


def refuse(messages: dict[str, Any]) -> InvalidPredictionRequest:
    """Make a refusal of marshmallow's messages: by field, and within a field by place.

    Examples
    --------
    >>> refuse({"feature_vectors": {"[17][1]": ["sd: not a finite number"]}}).errors
    [{'field': 'feature_vectors[17][1]', 'message': 'sd: not a finite number', 'row': 17}]
    """
    errors: list[FieldError] = []
    for field, found in messages.items():
        by_place = found if isinstance(found, dict) else {"": found}
        for place, texts in by_place.items():
            errors += [_describe(field, place, text) for text in texts]
    return InvalidPredictionRequest("; ".join(f"{error['field']}: {error['message']}" for error in errors), errors)


def _describe(field: str, place: str, text: str) -> FieldError:
    """Describe one mistake."""
    error: FieldError = {"field": f"{field}{place}", "message": text}
    if field == _FIELD_OF_ROWS and (row := _ROW_OF_PLACE.match(place)):
        error["row"] = int(row[1])
    return error


# As JSON writes them; ten digits hold more than any limit here.
_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,9}")


def read_whole_number(name: str, given: Sequence[str], default: int, least: int, most: int) -> int:
    """Read a number.

    Parameters
    ----------
    name
        Of the parameter.
    given
        Each value that the address has for it.
    default
        If there is none.
    least, most
        The limits, both included.

    Raises
    ------
    InvalidQuery
        If it is none, not within the limits, or there are several.

    Examples
    --------
    >>> read_whole_number("n", ["5"], 20, 1, 100), read_whole_number("n", [], 20, 1, 100)
    (5, 20)
    >>> read_whole_number("n", ["5.0"], 20, 1, 100)
    Traceback (most recent call last):
    app.errors.InvalidQuery: n: expected a whole number from 1 to 100, got 5.0
    """
    if not given:
        return default
    if len(given) == 1 and _WHOLE_NUMBER.fullmatch(given[0]) and least <= int(given[0]) <= most:
        return int(given[0])
    message = f"expected a whole number from {least} to {most}, got {' and '.join(given)}"
    raise InvalidQuery(f"{name}: {message}", [{"field": name, "message": message}])


def refuse_unknown(given: Iterable[str], known: Sequence[str]) -> None:
    """Refuse names that mean nothing: one that is written wrong would be taken for its default.

    Raises
    ------
    InvalidQuery
        With one entry for each.

    Examples
    --------
    >>> refuse_unknown(["m"], ["first_row", "n"])
    Traceback (most recent call last):
    app.errors.InvalidQuery: m: unknown, expected first_row or n
    """
    errors: list[FieldError] = [
        {"field": name, "message": f"unknown, expected {' or '.join(known)}"} for name in given if name not in known
    ]
    if errors:
        raise InvalidQuery("; ".join(f"{error['field']}: {error['message']}" for error in errors), errors)
