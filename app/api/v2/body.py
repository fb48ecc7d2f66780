"""The binary tensor data extension of the Open Inference Protocol: JSON, and after it the bytes of tensors.

The header ``Inference-Header-Content-Length`` holds the length of the JSON. The tensors that the JSON declares as
binary follow in the same order, row after row, little endian, with nothing in between.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import numpy as np
from flask import Request, Response
from numpy.typing import NDArray

from app.errors import InvalidInferenceRequest, InvalidPredictionRequest, NotAJSONMediaType
from app.web.codecs import JSON_MEDIA_TYPE, decode_json, read_body

JSON_LENGTH_HEADER = "Inference-Header-Content-Length"
BINARY_MEDIA_TYPE = "application/octet-stream"

# Triton's own client sends no Content-Type.
_MEDIA_TYPES = (JSON_MEDIA_TYPE, BINARY_MEDIA_TYPE, "")

# No body is longer than 18 digits can express, and Python refuses to parse numbers of thousands of digits.
_LENGTH = re.compile(r"[0-9]{1,18}")

_DATATYPES = {"f": "FP64", "i": "INT64"}

# Name, values of shape (n_rows,), and whether they are sent as bytes.
Output = tuple[str, NDArray[Any], bool]


class BinaryPart:
    """The bytes after the JSON, consumed tensor by tensor.

    Examples
    --------
    >>> part = BinaryPart(memoryview(b"12345678"))
    >>> part.take(4, "inputs[0]").tobytes()
    b'1234'
    >>> part.take(5, "inputs[1]")
    Traceback (most recent call last):
    app.errors.InvalidInferenceRequest: inputs[1]: binary_data_size is 5, but the body has 4 bytes left
    """

    def __init__(self, data: memoryview) -> None:
        self._rest = data

    def take(self, size: int, name: str) -> memoryview:
        """Return the next ``size`` bytes, for the tensor that refusals call ``name``."""
        if size > len(self._rest):
            raise InvalidInferenceRequest(
                f"{name}: binary_data_size is {size}, but the body has {len(self._rest)} bytes left"
            )
        tensor, self._rest = self._rest[:size], self._rest[size:]
        return tensor

    def check_used_up(self) -> None:
        """Raise ``InvalidInferenceRequest`` if bytes are left that belong to no tensor."""
        if self._rest:
            raise InvalidInferenceRequest(f"the body ends with {len(self._rest)} bytes that belong to no input")


def read_tensor_body(request: Request) -> tuple[Any, BinaryPart]:
    """Read a body of JSON, or of JSON and the bytes of tensors.

    Returns
    -------
    The decoded JSON, and the bytes after it.

    Raises
    ------
    NotAJSONMediaType, UnknownCoding
        If the Content-Type or the Content-Encoding is not supported.
    NotJSON
        If the JSON is not JSON in UTF-8.
    InvalidInferenceRequest
        If the header is not a valid length, or the JSON has a number that no float can hold.
    """
    if request.mimetype not in _MEDIA_TYPES:
        raise NotAJSONMediaType(f"Send the body as Content-Type: {JSON_MEDIA_TYPE} or {BINARY_MEDIA_TYPE}.")
    body = memoryview(read_body(request))
    json_length = _read_json_length(request.headers.get(JSON_LENGTH_HEADER), len(body))
    try:
        return decode_json(body[:json_length]), BinaryPart(body[json_length:])
    except InvalidPredictionRequest as error:
        raise InvalidInferenceRequest(str(error)) from None


def answer_tensors(fields: dict[str, Any], outputs: list[Output]) -> Response:
    """Return an answer with tensors; see ``encode_tensors``."""
    body, json_length = encode_tensors(fields, outputs)
    if json_length == len(body):
        return Response(body, mimetype=JSON_MEDIA_TYPE)
    response = Response(body, mimetype=BINARY_MEDIA_TYPE)
    response.headers[JSON_LENGTH_HEADER] = str(json_length)
    return response


def encode_tensors(fields: dict[str, Any], outputs: list[Output]) -> tuple[bytes, int]:
    """Return the body of an answer with tensors, and the length of its JSON part.

    Parameters
    ----------
    fields
        The answer without its outputs.
    outputs
        Name, values of shape ``(n_rows,)`` as int64 or float64, and whether they are sent as bytes.
    """
    described: list[dict[str, Any]] = []
    tails = []
    for name, values, is_binary in outputs:
        tensor: dict[str, Any] = {
            "name": name,
            "datatype": _DATATYPES[values.dtype.kind],
            "shape": list(values.shape),
        }
        if is_binary:
            tails.append(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
            tensor["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            tensor["data"] = values.tolist()
        described.append(tensor)
    head = msgspec.json.encode(fields | {"outputs": described})
    return b"".join([head, *tails]), len(head)


def _read_json_length(text: str | None, body_length: int) -> int:
    """Return the length of the JSON; without the header it is the whole body."""
    if text is None:
        return body_length
    if not _LENGTH.fullmatch(text) or int(text) > body_length:
        raise InvalidInferenceRequest(
            f"{JSON_LENGTH_HEADER}: expected a number of bytes, at most {body_length} as in the body, got {text!r}"
        )
    return int(text)
