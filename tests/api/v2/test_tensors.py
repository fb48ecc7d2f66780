"""Numbers are read from a tensor unchanged, and everything else is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.api.v2.body import BinaryPart
from app.api.v2.tensors import read_tensor
from app.errors import InvalidInferenceRequest
from app.model.schema import LARGEST_NUMBER

NOTHING = BinaryPart(memoryview(b""))

tables = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
    elements=st.floats(-LARGEST_NUMBER, LARGEST_NUMBER),
)
json_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=3)


@given(tables, st.sampled_from(["FP32", "FP64"]))
def test_numbers_survive_every_form(table: np.ndarray, datatype: str):
    """Numbers may be flat, nested or bytes, which may start at any offset in the body."""
    as_sent = table.astype({"FP32": "<f4", "FP64": "<f8"}[datatype])
    body = memoryview(b"{" + as_sent.tobytes())
    parts = BinaryPart(body[1:])
    forms: list[dict[str, object]] = [
        {"data": as_sent.tolist(), "parameters": {}},
        {"data": as_sent.ravel().tolist(), "parameters": {}},
        {"parameters": {"binary_data_size": as_sent.nbytes}},
    ]
    for form in forms:
        read = read_tensor({"datatype": datatype} | form, len(table), table.shape[1], parts, "rows")
        np.testing.assert_array_equal(read, as_sent)
    parts.check_used_up()


@given(st.lists(json_values, max_size=6), st.integers(1, 3), st.integers(1, 2))
def test_anything_else_is_refused_with_its_position(data: list[Any], n_rows: int, n_columns: int):
    """Any JSON is read as finite numbers within float32, or refused with a message."""
    tensor = {"datatype": "FP64", "parameters": {}, "data": data}
    try:
        read = read_tensor(tensor, n_rows, n_columns, NOTHING, "rows")
    except InvalidInferenceRequest as error:
        read, refusal = None, str(error)
    if read is None:
        assert refusal.startswith("rows")
        return
    flat = [number for row in data for number in row] if isinstance(data[0], list) else data
    assert read.shape == (n_rows, n_columns)
    assert all(type(number) in (int, float) for number in flat)
    assert (np.abs(read) <= LARGEST_NUMBER).all()
    np.testing.assert_array_equal(read.ravel(), np.array(flat, np.float64))


@given(st.integers(0, 40), st.integers(0, 40))
def test_all_bytes_are_consumed_once(there: int, wanted: int):
    """Reading more bytes than there are is refused, and so are bytes that are left over."""
    part = BinaryPart(memoryview(bytes(there)))
    if wanted > there:
        with pytest.raises(InvalidInferenceRequest, match=f"has {there} bytes left"):
            part.take(wanted, "rows")
        return
    assert len(part.take(wanted, "rows")) == wanted
    if wanted < there:
        with pytest.raises(InvalidInferenceRequest, match=f"ends with {there - wanted} bytes"):
            part.check_used_up()
    else:
        part.check_used_up()
