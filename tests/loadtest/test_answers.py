"""Every violation of the API contract is detected and named, and correct answers pass."""

from __future__ import annotations

import doctest
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import (
    answers,
    bad_input,
    batch_answers,
    boundary,
    limit_search,
    measurements,
    pass_criteria,
    payloads,
    rows,
    stages,
)
from loadtest.answers import WrongAnswer, check_model_information, check_prediction

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=8,
)
# Use the contract's names, so that many generated answers are almost correct.
ANSWERS = JSON_VALUES | st.fixed_dictionaries(
    {}, optional={"is_inlier": st.sampled_from([1, -1]) | JSON_VALUES, "anomaly_score": JSON_VALUES}
)


@pytest.mark.parametrize(
    "module",
    [
        answers,
        batch_answers,
        bad_input,
        boundary,
        measurements,
        limit_search,
        pass_criteria,
        payloads,
        rows,
        stages,
    ],
)
def test_docstring_examples(module):
    """The examples in the docstrings are correct."""
    results = doctest.testmod(module)

    assert results.attempted > 0
    assert results.failed == 0


@given(label=st.sampled_from([1, -1]), score=st.floats(-1, 0) | st.sampled_from([0, -1]))
def test_a_correct_answer_passes(label, score):
    """Both labels pass, with any score in [-1, 0] if one was requested."""
    scored = json.dumps({"is_inlier": label, "anomaly_score": score}).encode()
    unscored = json.dumps({"is_inlier": label}).encode()

    check_prediction(200, scored, with_score=True)
    check_prediction(200, unscored, with_score=False)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (503, b"", "The status is 503, expected 200."),
        (502, b"<html>Bad Gateway</html>", "The status is 502, expected 200."),
        (
            422,
            b'{"title": "Wrong length", "detail": "row 7"}',
            "The status is 422 (Wrong length), expected 200.",
        ),
        (500, b'{"title": NaN}', "The status is 500, expected 200."),
        (204, b"", "The status is 204, expected 200."),
        (200, b"", "The answer is not valid JSON."),
        (200, b"<html>", "The answer is not valid JSON."),
        (200, b'{"is_inlier": "\xff"}', "The answer is not valid JSON."),
        (200, b"[" * 100_000, "The answer is not valid JSON."),
        (200, b'{"is_inlier": 1, "anomaly_score": NaN}', "The answer is not valid JSON: it contains NaN."),
        (200, b'{"is_inlier": 1, "anomaly_score": -Infinity}', "The answer is not valid JSON: it contains -Infinity."),
        (200, b"[1]", "The answer is not a JSON object."),
        (200, b"{}", "is_inlier is missing."),
        (200, b'{"is_inlier": 7}', "is_inlier is 7, expected 1 or -1."),
        (200, b'{"is_inlier": 0}', "is_inlier is 0, expected 1 or -1."),
        (200, b'{"is_inlier": true}', "is_inlier has type bool, expected the integer 1 or -1."),
        (200, b'{"is_inlier": 1.0}', "is_inlier has type float, expected the integer 1 or -1."),
        (200, b'{"is_inlier": 1}', "anomaly_score is missing although the request asked for it."),
        (200, b'{"is_inlier": 1, "anomaly_score": 0.001}', "anomaly_score is above the range [-1, 0]."),
        (200, b'{"is_inlier": 1, "anomaly_score": -1.001}', "anomaly_score is below the range [-1, 0]."),
        (200, b'{"is_inlier": 1, "anomaly_score": -1e999}', "anomaly_score is below the range [-1, 0]."),
        (
            200,
            b'{"is_inlier": 1, "anomaly_score": null}',
            "anomaly_score has type NoneType, expected a number.",
        ),
        (
            200,
            b'{"is_inlier": 1, "anomaly_score": false}',
            "anomaly_score has type bool, expected a number.",
        ),
    ],
)
def test_a_wrong_prediction_is_named(status, body, sentence):
    """The message says what is wrong with an answer to a request for the score."""
    with pytest.raises(WrongAnswer) as wrong:
        check_prediction(status, body, with_score=True)

    assert str(wrong.value) == sentence


def test_a_score_that_was_not_requested_is_wrong():
    """The score must be absent unless requested, even if it is valid or null."""
    for score in ("-0.5", "null"):
        with pytest.raises(WrongAnswer, match="present although the request did not ask for it"):
            check_prediction(200, b'{"is_inlier": 1, "anomaly_score": %s}' % score.encode(), with_score=False)


@given(content=ANSWERS, with_score=st.booleans())
def test_only_correct_answers_pass(content, with_score):
    """For any JSON, the check accepts exactly what the contract allows, and raises no other exception."""
    keeps_contract = (
        isinstance(content, dict)
        and repr(content.get("is_inlier")) in ("1", "-1")
        and ("anomaly_score" in content) == with_score
        and (not with_score or (type(content["anomaly_score"]) in (int, float) and -1 <= content["anomaly_score"] <= 0))
        and not any(name in json.dumps(content) for name in ("NaN", "Infinity"))
    )
    try:
        check_prediction(200, json.dumps(content).encode(), with_score)
    except WrongAnswer:
        assert not keeps_contract
    else:
        assert keeps_contract


def test_a_long_title_is_cut():
    """A long title does not fill the table of failures."""
    with pytest.raises(WrongAnswer) as wrong:
        check_prediction(400, json.dumps({"title": "a" * 5_000}).encode(), with_score=False)

    assert len(str(wrong.value)) < 200


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (503, b'{"title": "No model"}', "The status is 503 (No model), expected 200."),
        (200, b"null", "The answer is not a JSON object."),
        (200, b'{"n_estimators": 100}', "model.version is missing or not a string."),
        (200, b'{"model": "v1"}', "model.version is missing or not a string."),
        (200, b'{"model": {"version": 3}}', "model.version is missing or not a string."),
        (200, b'{"model": {"version": ""}}', "model.version is missing or not a string."),
    ],
)
def test_a_wrong_model_information_is_named(status, body, sentence):
    """The message says what is wrong with the model's description."""
    with pytest.raises(WrongAnswer) as wrong:
        check_model_information(status, body)

    assert str(wrong.value) == sentence
