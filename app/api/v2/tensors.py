"""Read the rows of an inference request, from one input with all features or from one input per feature.

The numbers of each tensor, in JSON or as bytes, are checked all at once.
"""

from __future__ import annotations

import struct
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.api.v2.body import BinaryPart
from app.api.v2.inference_request import BOOL, BYTES, NUMBER_TYPES
from app.errors import BodyTooLarge, InvalidInferenceRequest
from app.model.schema import LARGEST_NUMBER, Features
from app.web.fields import read_value
from app.web.validation import json_type

# The protocol uses little endian on every machine.
_DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(f"<{kind}{bits // 8}")
    for prefix, kind, sizes in (
        ("FP", "f", (16, 32, 64)),
        ("INT", "i", (8, 16, 32, 64)),
        ("UINT", "u", (8, 16, 32, 64)),
    )
    for bits in sizes
    for name in [f"{prefix}{bits}"]
} | {BOOL: np.dtype(np.bool_)}

# Before each text of a tensor of texts: its length.
_LENGTH = struct.Struct("<I")


def read_tensor(
    tensor: dict[str, Any], n_rows: int, n_columns: int, binary: BinaryPart, name: str
) -> NDArray[np.floating]:
    """Return the numbers of an input.

    Parameters
    ----------
    tensor
        The input, loaded as ``InputTensor``.
    n_rows, n_columns
        Its shape as rows and columns.
    binary
        The bytes that earlier inputs have not consumed.
    name
        The name of the input in refusals.

    Returns
    -------
    Shape ``(n_rows, n_columns)``, float32 or float64, finite and within float32.

    Raises
    ------
    InvalidInferenceRequest
        If there are too many or too few numbers, or other values; the message names input, row and column.

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
        raise InvalidInferenceRequest(f"{name}: send either data or parameters.binary_data_size")
    count = n_rows * n_columns
    if size is None:
        numbers = _flatten(tensor["data"], n_rows, n_columns, name)
        _check_types(numbers, n_columns, name)
        values: NDArray[np.floating] = _to_array(numbers)
    else:
        dtype = _DTYPES[tensor["datatype"]]
        if size != count * dtype.itemsize:
            raise InvalidInferenceRequest(
                f"{name}: {count} numbers of {tensor['datatype']} take {count * dtype.itemsize} bytes, "
                f"binary_data_size is {size}"
            )
        values = np.frombuffer(binary.take(size, name), dtype)
        if dtype.kind != "f":  # the smallest integer has no absolute value
            values = values.astype(np.float64)
    _check_range(values, n_columns, name)
    return values.reshape(n_rows, n_columns)


def _flatten(data: list[Any], n_rows: int, n_columns: int, name: str) -> list[Any]:
    """Return the items of nested lists as one list; a flat list is returned unchanged."""
    if data and all(type(row) is list for row in data):
        if len(data) != n_rows:
            raise InvalidInferenceRequest(f"{name}: expected {n_rows} rows in data, got {len(data)}")
        for index, row in enumerate(data):
            if len(row) != n_columns:
                raise InvalidInferenceRequest(f"{name}[{index}]: expected {n_columns} numbers, got {len(row)}")
        return list(chain.from_iterable(data))
    if len(data) != n_rows * n_columns:
        raise InvalidInferenceRequest(f"{name}: expected {n_rows * n_columns} numbers in data, got {len(data)}")
    return data


def _check_types(numbers: list[Any], n_columns: int, name: str) -> None:
    """Refuse values that are not JSON numbers; NumPy would convert true to 1 and "2" to 2."""
    if set(map(type, numbers)) <= {int, float}:
        return
    index, value = next((i, value) for i, value in enumerate(numbers) if type(value) not in (int, float))
    row, column = divmod(index, n_columns)
    raise InvalidInferenceRequest(f"{name}[{row}, {column}]: expected a number, got {json_type(value)}")


def _to_array(numbers: list[Any]) -> NDArray[np.float64]:
    """Return an array; integers that no float can hold become infinite."""
    try:
        return np.array(numbers, np.float64)
    except OverflowError:
        return np.array([number if abs(number) <= LARGEST_NUMBER else np.inf for number in numbers], np.float64)


def _check_range(values: NDArray[np.floating], n_columns: int, name: str) -> None:
    """Refuse numbers that the forest cannot compare."""
    is_valid = np.abs(values) <= LARGEST_NUMBER  # also false for NaN
    if not is_valid.all():
        row, column = divmod(int(is_valid.argmin()), n_columns)
        raise InvalidInferenceRequest(
            f"{name}[{row}, {column}]: expected a finite number between -{LARGEST_NUMBER:g} and {LARGEST_NUMBER:g}"
        )


def read_rows(
    inputs: list[dict[str, Any]], binary: BinaryPart, features: Features, max_rows: int
) -> NDArray[np.floating]:
    """Return the rows of a request.

    Parameters
    ----------
    inputs
        The inputs, each loaded as ``InputTensor``.
    binary
        The bytes after the JSON in the body.
    features
        The model's features.
    max_rows
        Maximum number of rows in one request.

    Returns
    -------
    Shape ``(n_rows, n_columns)``, columns in the order of the model's features.

    Raises
    ------
    InvalidInferenceRequest
        If the inputs do not match the model, each other, or their own shapes.
    BodyTooLarge
        If there are more rows than ``max_rows``.
    """
    columns = _assign_columns(inputs, features)
    n_rows = _count_rows(inputs, columns, features)
    if n_rows > max_rows:
        raise BodyTooLarge(f"The request holds {n_rows} rows: send at most {max_rows} at once.")
    is_mixed = bool(features.levels) or any(features.can_be_missing)
    rows = np.empty((n_rows, len(features)), features.dtype)
    for tensor, own_columns in zip(inputs, columns, strict=True):
        if tensor["datatype"] in NUMBER_TYPES and not is_mixed:
            rows[:, own_columns] = read_tensor(tensor, n_rows, len(own_columns), binary, _name(tensor))
        else:
            rows[:, own_columns] = _read_values(tensor, n_rows, own_columns, binary, features)
    binary.check_used_up()
    return rows


def _read_values(
    tensor: dict[str, Any], n_rows: int, columns: list[int], binary: BinaryPart, features: Features
) -> NDArray[np.float64]:
    """Return the values of an input one by one: texts, booleans, and numbers that may be missing."""
    name, size, n_columns = _name(tensor), tensor["parameters"].get("binary_data_size"), len(columns)
    if (size is None) == ("data" not in tensor):
        raise InvalidInferenceRequest(f"{name}: send either data or parameters.binary_data_size")
    if size is None:
        values = _flatten(tensor["data"], n_rows, n_columns, name)
    elif tensor["datatype"] == BYTES:
        values = _split_texts(binary.take(size, name), name)
    else:
        dtype = _DTYPES[tensor["datatype"]]
        taken = binary.take(size, name)
        values = np.frombuffer(taken, dtype).tolist() if len(taken) % dtype.itemsize == 0 else []
    if len(values) != n_rows * n_columns:
        raise InvalidInferenceRequest(f"{name}: expected {n_rows * n_columns} values, got {len(values)}")
    read = [read_value(features, columns[at % n_columns], _to_json(value)) for at, value in enumerate(values)]
    for at, value in enumerate(read):
        if isinstance(value, str):
            row, column = divmod(at, n_columns)
            raise InvalidInferenceRequest(f"{name}[{row}, {column}]: {features.names[columns[column]]}: {value}")
    return np.array(read, np.float64).reshape(n_rows, n_columns)


def _to_json(value: Any) -> Any:
    """Return a value as JSON has it: null for NaN."""
    return None if isinstance(value, float) and value != value else value


def _split_texts(taken: memoryview, name: str) -> list[str]:
    """Return the texts of a tensor, each of which follows its length in bytes."""
    texts, at = [], 0
    try:
        while at < len(taken):
            [length] = _LENGTH.unpack_from(taken, at)
            at += _LENGTH.size + length
            if at > len(taken):
                raise ValueError("the last text is cut")
            texts.append(bytes(taken[at - length : at]).decode())
    except (struct.error, ValueError) as error:
        raise InvalidInferenceRequest(f"{name}: its bytes are not texts with their lengths: {error}") from None
    return texts


def _assign_columns(inputs: list[dict[str, Any]], features: Features) -> list[list[int]]:
    """Return the columns that each input holds; a single input may have any name, and holds all columns."""
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
    """Check all shapes, and return the number of rows, which all inputs share."""
    n_rows: int = inputs[0]["shape"][0]
    for tensor, own_columns in zip(inputs, columns, strict=True):
        shape, width = tensor["shape"], len(own_columns)
        # One feature may also come as a plain list of numbers.
        allowed = [[n_rows, width], *([[n_rows]] if width == 1 else [])]
        if shape not in allowed:
            rows = n_rows if len(inputs) > 1 else "rows"
            expected = f"[{rows}, {width}]" + (f" or [{rows}]" if width == 1 else "")
            column_names = "" if width == 1 else f" ({', '.join(features.names)})"
            raise InvalidInferenceRequest(f"{_name(tensor)}: expected shape {expected}{column_names}, got {shape}")
    return n_rows


def _name(tensor: dict[str, Any]) -> str:
    """Return the name of an input in refusals."""
    return f"input {tensor['name']}"
