"""JSON bodies: decode them strictly (no NaN, no Infinity), check them against a schema, and encode answers."""

from __future__ import annotations

import codecs
import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
from flask import Request, Response
from flask.json.provider import JSONProvider
from marshmallow import Schema, ValidationError

from app.errors import FieldError, InvalidPredictionRequest, NotAJSONMediaType, NotJSON, join_errors
from app.model.schema import LARGEST_NUMBER
from app.web.content_coding import decompress
from app.web.validation import MAX_LISTED_PROBLEMS, flatten_errors, invalid_prediction, json_type

JSON_MEDIA_TYPE = "application/json"

# pandas writes NaN for missing values.
_NOT_IN_JSON = "is not a number in JSON; send null for a missing value, or leave out the row"
_WITHIN_FLOAT32 = f"expected a number between -{LARGEST_NUMBER:g} and {LARGEST_NUMBER:g}"


def read_json(request: Request) -> Any:
    """Decode the body of a request.

    Raises
    ------
    NotAJSONMediaType
        If the Content-Type is not ``application/json``.
    NotJSON
        If the body is not JSON in UTF-8. ``NaN`` and ``Infinity``, which Python accepts, are not JSON.
    InvalidPredictionRequest
        If the JSON has a number that no float can hold.
    """
    if request.mimetype != JSON_MEDIA_TYPE:
        raise NotAJSONMediaType(f"Send the body as Content-Type: {JSON_MEDIA_TYPE}.")
    return decode_json(read_body(request))


def read_body(request: Request) -> bytes:
    """Return the body of a request, decompressed.

    Raises
    ------
    UnknownCoding, NotDecompressible, BodyTooLarge
        As ``decompress``; the limit of the route holds before and after.
    """
    body = request.get_data(cache=False)
    named = request.headers.get("Content-Encoding")
    return decompress(body, named, request.max_content_length) if named else body


def decode_json(text: bytes | memoryview, place: str = "") -> Any:
    """Decode a body, or the JSON part of one; raises ``NotJSON`` and ``InvalidPredictionRequest`` as ``read_json``.

    Parameters
    ----------
    text
        The JSON.
    place
        Where it is in the body, such as ``feature_vectors[3]``; empty for the whole body.

    Examples
    --------
    >>> decode_json(b'{"feature_vectors": [[1, 2], [1, NaN]]}')
    Traceback (most recent call last):
    app.errors.NotJSON: The body is not JSON: feature_vectors[1][1]: NaN is not a number in JSON; send null for a ...
    """
    if text[:3] == codecs.BOM_UTF8:  # Windows programs write it before any text; RFC 8259 allows to ignore it
        text = text[3:]
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError as error:
        errors = _find_unusable_numbers(text, place) or [{"field": place, "message": f"{error}: {_WITHIN_FLOAT32}"}]
        raise InvalidPredictionRequest(errors) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        found = _find_unusable_numbers(text, place)
        reason = join_errors(found) or f"{place}: {error}".removeprefix(": ")
        raise NotJSON(f"The body is not JSON: {reason}.", found) from None


class _Unusable(str):
    """The text of a number that JSON does not have, or that no float holds."""


def _find_unusable_numbers(text: bytes | memoryview, place: str) -> list[FieldError]:
    """Return where a text has ``NaN``, ``Infinity`` or a number that no float holds; none if it has other mistakes.

    msgspec's messages have no place of such numbers; the standard library's decoder calls functions for them.
    """

    def read_number(digits: str) -> float | _Unusable:
        number = float(digits)
        return number if math.isfinite(number) else _Unusable(digits)

    try:
        decoded = json.loads(
            bytes(text).decode(), parse_float=read_number, parse_int=read_number, parse_constant=_Unusable
        )
        places = islice(_walk_unusable(decoded, place), MAX_LISTED_PROBLEMS)
        messages = {
            path: [f"{number} {_NOT_IN_JSON}" if number.isalpha() or number[1:].isalpha() else _WITHIN_FLOAT32]
            for path, number in places
        }
    except (ValueError, RecursionError):
        return []
    return flatten_errors(messages, rows_in="" if isinstance(decoded, list) and not place else "feature_vectors")


def _walk_unusable(value: Any, place: str) -> Iterator[tuple[str, _Unusable]]:
    """Yield the place and the text of every unusable number."""
    if isinstance(value, _Unusable):
        yield place, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk_unusable(item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _walk_unusable(item, f"{place}.{name}".removeprefix("."))


def load_body(body: object, schema: Schema) -> dict[str, Any]:
    """Check a decoded body against a schema and return its values.

    Parameters
    ----------
    body
        Any JSON value.
    schema
        The schema of an object.

    Raises
    ------
    InvalidPredictionRequest
        With one entry for each mistake.
    """
    if not isinstance(body, dict):
        required = ", ".join(name for name, field in schema.fields.items() if field.required)
        raise invalid_prediction({"": [f"expected an object with {required}, got {json_type(body)}"]})
    try:
        loaded: dict[str, Any] = schema.load(body)
    except ValidationError as error:
        raise invalid_prediction(error.normalized_messages()) from None
    return loaded


def answer_json(body: Any, status: int = 200) -> Response:
    """Return a JSON response; every number in ``body`` must be finite."""
    return Response(msgspec.json.encode(body), status, mimetype=JSON_MEDIA_TYPE)


class StrictJSONProvider(JSONProvider):
    """Flask's ``jsonify`` without NaN, which Flask would let through."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Encode a value; a number that is not finite raises ``ValueError``."""
        return json.dumps(obj, allow_nan=False, **kwargs)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Decode strict JSON."""
        return msgspec.json.decode(s)
