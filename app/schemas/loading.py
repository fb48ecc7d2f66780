"""From a decoded body to the values that a route works with, or to a refusal that names every mistake."""

from __future__ import annotations

import re
from typing import Any

from marshmallow import Schema, ValidationError

from app.errors import FieldError, InvalidPredictionRequest
from app.schemas.row_problems import json_type

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
