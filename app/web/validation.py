"""Describe what is wrong with a request: one entry per mistake, each with the place of the mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from app.errors import FieldError, InvalidPredictionRequest

# Most mistakes listed in one answer: callers fix their program after the first few, and ten thousand would be a heavy
# answer.
MAX_LISTED_PROBLEMS = 20

# The field that holds many rows: the first index after it is the number of a row.
_FIELD_OF_ROWS = "feature_vectors"

# marshmallow's key for what is wrong with an object as a whole.
_WHOLE_OBJECT = "_schema"

_JSON_TYPES = {
    bool: "a boolean",
    str: "a string",
    list: "a list",
    dict: "an object",
    int: "a number",
    float: "a number",
}


def json_type(value: object) -> str:
    """Return the name of a decoded value's JSON type.

    Examples
    --------
    >>> json_type(None), json_type([]), json_type(True), json_type(1.5)
    ('null', 'a list', 'a boolean', 'a number')
    """
    return _JSON_TYPES.get(type(value), "null")


def flatten_errors(messages: Any, rows_in: str | None = None) -> list[FieldError]:
    """Flatten marshmallow's nested messages into a list.

    Parameters
    ----------
    messages
        ``ValidationError.normalized_messages()``, or a part of it. A key is the name of a field, an index, or a path
        such as ``[17][1]``.
    rows_in
        The field whose first index is a row number, which is then reported as ``row``; empty if the whole body is a
        list of rows.

    Examples
    --------
    >>> flatten_errors({"inputs": {0: {"shape": {1: ["Not a valid integer."]}}}, "id": ["Not a valid string."]})
    [{'field': 'inputs[0].shape[1]', 'message': 'Not a valid integer.'},
     {'field': 'id', 'message': 'Not a valid string.'}]
    >>> flatten_errors({"feature_vectors": {"[17][1]": ["sd: not a finite number"]}}, rows_in="feature_vectors")
    [{'field': 'feature_vectors[17][1]', 'message': 'sd: not a finite number', 'row': 17}]
    """
    row_pattern = None if rows_in is None else re.compile(re.escape(rows_in) + r"\[(\d+)\]")
    errors: list[FieldError] = []
    for path, text in _walk(messages, ""):
        error: FieldError = {"field": path, "message": text}
        if row_pattern and (match := row_pattern.match(path)):
            error["row"] = int(match[1])
        errors.append(error)
    return errors


def invalid_prediction(messages: dict[str, Any], rows_in: str = _FIELD_OF_ROWS) -> InvalidPredictionRequest:
    """Return the refusal of a prediction request, from messages as marshmallow nests them."""
    return InvalidPredictionRequest(flatten_errors(messages, rows_in=rows_in))


def _walk(messages: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield the path and text of every message below ``path``."""
    if isinstance(messages, list):
        yield from ((path, text) for text in messages)
        return
    for key, nested in messages.items():
        yield from _walk(nested, path + _path_step(key, is_first=not path))


def _path_step(key: str | int, is_first: bool) -> str:
    """Return what a key of the messages adds to the path of a mistake."""
    if isinstance(key, int):
        return f"[{key}]"
    if key == _WHOLE_OBJECT:
        return ""
    return key if is_first or key.startswith("[") else f".{key}"
