"""Strict JSON in both directions: no NaN, no Infinity, no other media type."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from flask import Request, Response
from flask.json.provider import JSONProvider

from app.errors import InvalidPredictionRequest, NotAJSONMediaType, NotJSON

JSON_MEDIA_TYPE = "application/json"


def read_json(request: Request) -> Any:
    """Decode the body of a request.

    Raises
    ------
    NotAJSONMediaType
        If the Content-Type is another one.
    NotJSON
        If the body is not JSON in UTF-8; Python's ``NaN`` and ``Infinity`` are not.
    InvalidPredictionRequest
        If it is JSON with a number that no float can hold.
    """
    if request.mimetype != JSON_MEDIA_TYPE:
        raise NotAJSONMediaType(f"Send the body as Content-Type: {JSON_MEDIA_TYPE}.")
    return decode_json(request.get_data(cache=False))


def decode_json(text: bytes | memoryview) -> Any:
    """Decode a body, or the part of one that is JSON; it refuses what ``read_json`` refuses."""
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError as error:
        message = f"{error}: send numbers within float32"
        raise InvalidPredictionRequest(message, [{"field": "", "message": message}]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJSON(f"The body is not JSON: {error}.") from None


def answer_json(body: Any, status: int = 200) -> Response:
    """Answer with strict JSON; ``body`` holds no number that is not finite."""
    return Response(msgspec.json.encode(body), status, mimetype=JSON_MEDIA_TYPE)


class StrictJSONProvider(JSONProvider):
    """Flask's ``jsonify``, for whoever uses it, without the NaN that it would let through."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """Encode; a number that is not finite is a ``ValueError``."""
        return json.dumps(obj, allow_nan=False, **kwargs)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Decode strict JSON."""
        return msgspec.json.decode(s)
