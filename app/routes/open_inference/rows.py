"""The rows of an inference request: from one input that holds all features, or from one input for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import BodyTooLarge, InvalidInferenceRequest
from app.model.features import Features
from app.web.tensor_body import BinaryPart
from app.web.tensors import read_tensor


def read_rows(
    inputs: list[dict[str, Any]], binary: BinaryPart, features: Features, max_rows: int
) -> NDArray[np.float32]:
    """Read the rows of a request.

    Parameters
    ----------
    inputs
        The inputs, each loaded as ``InputTensor``.
    binary
        What follows the JSON in the body.
    features
        What a row of the model consists of.
    max_rows
        How many rows one request may hold.

    Returns
    -------
    Shape ``(n_rows, n_features)``, finite, columns in the order of the model's features.

    Raises
    ------
    InvalidInferenceRequest
        If the inputs do not fit the model, each other, or what they say of themselves.
    BodyTooLarge
        If there are more rows than ``max_rows``.
    """
    columns = _assign_columns(inputs, features)
    n_rows = _count_rows(inputs, columns, features)
    if n_rows > max_rows:
        raise BodyTooLarge(f"The request holds {n_rows} rows: send at most {max_rows} at once.")
    rows = np.empty((n_rows, len(features)), np.float32)
    for tensor, taken in zip(inputs, columns, strict=True):
        rows[:, taken] = read_tensor(tensor, n_rows, len(taken), binary, _place(tensor))
    binary.check_used_up()
    return rows


def _assign_columns(inputs: list[dict[str, Any]], features: Features) -> list[list[int]]:
    """Say for each input which columns it holds; a single input may have any name and holds all."""
    if len(inputs) == 1:
        return [list(range(len(features)))]
    names = [tensor["name"] for tensor in inputs]
    if sorted(names) != sorted(features.names):
        raise InvalidInferenceRequest(
            f"inputs: expected one of shape [rows, {len(features)}], or one for each of {', '.join(features.names)}, "
            f"got {', '.join(names)}"
        )
    return [[features.names.index(name)] for name in names]


def _count_rows(inputs: list[dict[str, Any]], columns: list[list[int]], features: Features) -> int:
    """Check all shapes, and tell the number of rows, which all inputs share."""
    n_rows: int = inputs[0]["shape"][0]
    for tensor, taken in zip(inputs, columns, strict=True):
        shape, width = tensor["shape"], len(taken)
        # One feature may also come as a plain list of numbers.
        allowed = [[n_rows, width], *([[n_rows]] if width == 1 else [])]
        if shape not in allowed:
            rows = n_rows if len(inputs) > 1 else "rows"
            expected = f"[{rows}, {width}]" + (f" or [{rows}]" if width == 1 else "")
            columns_said = "" if width == 1 else f" ({', '.join(features.names)})"
            raise InvalidInferenceRequest(f"{_place(tensor)}: expected shape {expected}{columns_said}, got {shape}")
    return n_rows


def _place(tensor: dict[str, Any]) -> str:
    """Name an input in a refusal."""
    return f"input {tensor['name']}"
