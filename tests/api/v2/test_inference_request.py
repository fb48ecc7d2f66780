"""The fields of an inference request are checked before its tensors are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.v2.inference_request import load_inference_request
from app.errors import InvalidInferenceRequest

TENSOR = {"name": "rows", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
tensors = st.fixed_dictionaries(
    {key: json_values | st.just(value) for key, value in TENSOR.items()}, optional={"parameters": json_values}
)


@given(
    json_values
    | st.fixed_dictionaries(
        {"inputs": st.lists(tensors, max_size=3)},
        optional={"id": json_values, "parameters": json_values, "outputs": json_values},
    )
)
def test_any_body_is_loaded_or_refused(body: object):
    """A loaded request has every field that later code relies on."""
    try:
        loaded = load_inference_request(body)
    except InvalidInferenceRequest as error:
        loaded, refusal = None, str(error)
    if loaded is None:
        assert refusal
        return
    assert loaded.keys() >= {"inputs", "outputs", "parameters"}
    assert type(loaded["parameters"]["binary_data_output"]) is bool
    for tensor in loaded["inputs"]:
        assert tensor.keys() >= {"name", "shape", "datatype", "parameters"}
        assert all(type(length) is int and length > 0 for length in tensor["shape"])
        assert type(tensor.get("data", [])) is list


@pytest.mark.parametrize("key", ["inputs", "outputs"])
def test_millions_of_tensors_are_refused_unread(key: str):
    """The message has their number; if they were loaded one by one, it would name the first mistake."""
    body = {"inputs": [TENSOR]} | {key: [{}] * 1_000_000}

    with pytest.raises(InvalidInferenceRequest, match=rf"^{key}: expected at most \d+ items, got 1000000$"):
        load_inference_request(body)


def test_unknown_fields_are_ignored():
    """Parameters for other servers do no harm."""
    body = {"inputs": [TENSOR | {"parameters": {"content_type": "np"}}], "parameters": {"timeout": 3}, "extra": 1}

    loaded = load_inference_request(body)

    assert loaded["parameters"] == {"binary_data_output": False, "explain": False, "segment": ""}
    assert loaded["inputs"][0]["parameters"] == {}
    assert "extra" not in loaded
