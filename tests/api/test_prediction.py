"""A request is accepted exactly when it describes a row, and every mistake is reported."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.prediction import load_prediction_request
from app.errors import InvalidPredictionRequest
from app.model.schema import LARGEST_NUMBER, Features

FEATURES = Features(("mean", "sd"), (-1.0, 0.0), (1.0, 2.0))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
numbers = st.integers(-(10**38), 10**38) | st.floats(-LARGEST_NUMBER, LARGEST_NUMBER)


def _errors(body: object) -> dict[str, str]:
    """Return the mistakes in a body: field and message."""
    with pytest.raises(InvalidPredictionRequest) as refusal:
        load_prediction_request(body, FEATURES)
    return {error["field"]: error["message"] for error in refusal.value.errors}


@given(st.lists(numbers, min_size=2, max_size=2), st.booleans())
def test_every_row_of_numbers_is_accepted(row: list[float], score: bool):
    """Integers and floats are accepted up to the limits of float32."""
    assert load_prediction_request({"feature_vector": row, "score": score}, FEATURES) == {
        "feature_vector": row,
        "score": score,
        "confidence": False,
        "segment": "",
    }


@given(json_values | st.fixed_dictionaries({"feature_vector": json_values}, optional={"score": json_values}))
def test_anything_else_is_refused(body: object):
    """Every JSON value is either loaded as a row of finite numbers or refused with the name of a field."""
    try:
        loaded = load_prediction_request(body, FEATURES)
    except InvalidPredictionRequest as refusal:
        loaded, errors = None, refusal.errors
    if loaded is None:
        assert errors
        assert all(error["message"] for error in errors)
    else:
        assert len(loaded["feature_vector"]) == 2
        assert all(type(number) in (int, float) and math.isfinite(number) for number in loaded["feature_vector"])
        assert type(loaded["score"]) is bool


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ([1], "feature_vector", "expected 2 numbers (mean, sd), got 1"),
        ([1, 2, 3], "feature_vector", "expected 2 numbers (mean, sd), got 3"),
        ("1,2", "feature_vector", "expected a list of 2 numbers, got a string"),
        (None, "feature_vector", "Field may not be null."),
        ([1, "2"], "feature_vector[1]", "sd: expected a number, got a string"),
        ([True, 2], "feature_vector[0]", "mean: expected a number, got a boolean"),
        ([1, None], "feature_vector[1]", "sd: expected a number, got null"),
        ([[1], 2], "feature_vector[0]", "mean: expected a number, got a list"),
        ([1, math.nan], "feature_vector[1]", "sd: not a finite number"),
        ([math.inf, 1], "feature_vector[0]", "mean: not a finite number"),
        ([1, 3.5e38], "feature_vector[1]", "sd: expected a number between -3.40282e+38 and 3.40282e+38"),
        ([1, -(10**400)], "feature_vector[1]", "sd: expected a number between -3.40282e+38 and 3.40282e+38"),
    ],
)
def test_bad_row_is_reported(row: object, field: str, message: str):
    """The refusal has the path, the feature and what was expected."""
    assert _errors({"feature_vector": row}) == {field: message}


def test_all_mistakes_are_reported_at_once():
    """A caller need not fix one mistake to learn of the next."""
    assert _errors({"feature_vector": ["a", None], "score": 1, "extra": 0}).keys() == {
        "feature_vector[0]",
        "feature_vector[1]",
        "score",
        "extra",
    }


@pytest.mark.parametrize("score", ["true", 1, 0, None, "yes"])
def test_score_is_a_boolean(score: object):
    """Values that merely look like true are refused."""
    assert "score" in _errors({"feature_vector": [1, 2], "score": score})
