"""The rows of an inference request: from one input that holds all features, or from one input for each.

The numbers of a tensor of the Open Inference Protocol, from JSON or from bytes, checked all at once.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.api.v2.body import BinaryPart
from app.errors import BodyTooLarge, InvalidInferenceRequest
from app.model.schema import LARGEST_NUMBER, Features
from app.web.validation import json_type

# The protocol sends little endian, whatever the machine.
_DTYPES: dict[str, np.dtype[np.float32] | np.dtype[np.float64]] = {"FP32": np.dtype("<f4"), "FP64": np.dtype("<f8")}


def read_tensor(
    tensor: dict[str, Any], n_rows: int, n_columns: int, binary: BinaryPart, place: str
) -> NDArray[np.floating]:
    """Read the numbers of an input.

    Parameters
    ----------
    tensor
        The input, loaded as ``InputTensor``.
    n_rows, n_columns
        Its shape, or what its shape means.
    binary
        The bytes that no input before it has taken.
    place
        Names the input in refusals.

    Returns
    -------
    Shape ``(n_rows, n_columns)``, float32 or float64, finite and within float32.

    Raises
    ------
    InvalidInferenceRequest
        If there are more or fewer numbers, or something else among them; it names input, row and column.

    Examples
    --------
    >>> tensor = {"datatype": "FP64", "parameters": {}, "data": [[0.5, 2], [1, 0]]}
    >>> read_tensor(tensor, 2, 2, BinaryPart(memoryview(b"")), "rows")
    array([[0.5, 2. ],
           [1. , 0. ]])
    >>> read_tensor(tensor | {"data": [0.5, 2, True, 0]}, 2, 2, BinaryPart(memoryview(b"")), "rows")
    Traceback (most recent call last):
    app.errors.InvalidInferenceRequest: rows[1, 0]: expected a number, got a boolean
    """
    size = tensor["parameters"].get("binary_data_size")
    if (size is None) == ("data" not in tensor):
        raise InvalidInferenceRequest(f"{place}: give either data or parameters.binary_data_size")
    count = n_rows * n_columns
    if size is None:
        numbers = _flatten(tensor["data"], n_rows, n_columns, place)
        _check_types(numbers, n_columns, place)
        values: NDArray[np.floating] = _to_array(numbers)
    else:
        dtype = _DTYPES[tensor["datatype"]]
        if size != count * dtype.itemsize:
            raise InvalidInferenceRequest(
                f"{place}: {count} numbers of {tensor['datatype']} take {count * dtype.itemsize} bytes, "
                f"binary_data_size is {size}"
            )
        values = np.frombuffer(binary.take(size, place), dtype)
    _check_range(values, n_columns, place)
    return values.reshape(n_rows, n_columns)


def _flatten(data: list[Any], n_rows: int, n_columns: int, place: str) -> list[Any]:
    """Put the items of nested lists into one; flat lists are as they are."""
    if data and all(type(row) is list for row in data):
        if len(data) != n_rows:
            raise InvalidInferenceRequest(f"{place}: expected {n_rows} rows in data, got {len(data)}")
        for index, row in enumerate(data):
            if len(row) != n_columns:
                raise InvalidInferenceRequest(f"{place}[{index}]: expected {n_columns} numbers, got {len(row)}")
        return list(chain.from_iterable(data))
    if len(data) != n_rows * n_columns:
        raise InvalidInferenceRequest(f"{place}: expected {n_rows * n_columns} numbers in data, got {len(data)}")
    return data


def _check_types(numbers: list[Any], n_columns: int, place: str) -> None:
    """Refuse what is no number of JSON; NumPy would turn true into 1 and "2" into 2."""
    if set(map(type, numbers)) <= {int, float}:
        return
    index, value = next((i, value) for i, value in enumerate(numbers) if type(value) not in (int, float))
    row, column = divmod(index, n_columns)
    raise InvalidInferenceRequest(f"{place}[{row}, {column}]: expected a number, got {json_type(value)}")


def _to_array(numbers: list[Any]) -> NDArray[np.float64]:
    """Make an array; integers of any length may be among the numbers, and become infinite if no float holds them."""
    try:
        return np.array(numbers, np.float64)
    except OverflowError:
        return np.array([number if abs(number) <= LARGEST_NUMBER else np.inf for number in numbers], np.float64)


def _check_range(values: NDArray[np.floating], n_columns: int, place: str) -> None:
    """Refuse what the forest cannot compare."""
    is_fine = np.abs(values) <= LARGEST_NUMBER  # also false for NaN
    if not is_fine.all():
        row, column = divmod(int(is_fine.argmin()), n_columns)
        raise InvalidInferenceRequest(
            f"{place}[{row}, {column}]: expected a finite number between -{LARGEST_NUMBER:g} and {LARGEST_NUMBER:g}"
        )


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
