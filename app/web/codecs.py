"""JSON bodies: decode them strictly (no NaN, no Infinity), check them against a schema, and encode answers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from flask import Request, Response
from flask.json.provider import JSONProvider
from marshmallow import Schema, ValidationError

from app.errors import InvalidPredictionRequest, NotAJSONMediaType, NotJSON
from app.web.validation import invalid_prediction, json_type

JSON_MEDIA_TYPE = "application/json"


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
    return decode_json(request.get_data(cache=False))


def decode_json(text: bytes | memoryview) -> Any:
    """Decode a body, or the JSON part of one; raises ``NotJSON`` and ``InvalidPredictionRequest`` as ``read_json``."""
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError as error:
        message = f"{error}: send numbers within float32"
        raise InvalidPredictionRequest([{"field": "", "message": message}]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJSON(f"The body is not JSON: {error}.") from None


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
