"""Each invalid request has the mistake that its name says, and only a proper error response passes."""

from __future__ import annotations

import json

import pytest

from loadtest.answers import WrongAnswer
from loadtest.bad_input import OVERSIZED_BYTES, check_refusal, make_bad_inputs

ROW = (0.5, 0.25)
PROBLEM = {"title": "Unprocessable", "status": 422, "detail": "mean: a number", "request_id": "7"}


def test_every_mistake_is_covered():
    """The names are those in Locust's table."""
    assert [bad.name for bad in make_bad_inputs(ROW)] == [
        "empty object",
        "wrong type",
        "wrong length",
        "NaN",
        "infinite",
        "too big number",
        "too big body",
        "not JSON",
        "wrong media type",
    ]


def test_each_request_has_one_mistake_only():
    """Each body differs from a valid one only in what its name says."""
    bodies = {bad.name: bad.body for bad in make_bad_inputs(ROW)}
    vectors = {name: json.loads(body).get("feature_vector") for name, body in bodies.items() if name != "not JSON"}

    assert vectors["empty object"] is None
    assert vectors["wrong media type"] == list(ROW)
    assert vectors["wrong length"] == [*ROW, 0.0]
    assert len(bodies["too big body"]) >= OVERSIZED_BYTES
    for name in ("wrong type", "NaN", "infinite", "too big number"):
        assert vectors[name][1:] == [0.25]
        assert vectors[name][0] != 0.5


def test_proper_error_response_passes():
    """A problem document with an expected status passes."""
    check_refusal(422, json.dumps(PROBLEM).encode(), "application/problem+json", [400, 422])
    check_refusal(422, json.dumps(PROBLEM).encode(), "application/problem+json; charset=utf-8", [422])


@pytest.mark.parametrize(
    ("status", "body", "media_type", "sentence"),
    [
        (200, {"is_inlier": 1}, "application/json", "The status is 200, expected 400 or 422."),
        (500, PROBLEM | {"status": 500}, "application/problem+json", "The status is 500, expected 400 or 422."),
        (415, PROBLEM | {"status": 415}, "application/problem+json", "The status is 415, expected 400 or 422."),
        (422, PROBLEM, "application/json", "The error response does not have the media type application/problem+json."),
        (
            422,
            PROBLEM | {"status": 400},
            "application/problem+json",
            "The problem document's status differs from the response's status.",
        ),
        (422, PROBLEM | {"title": ""}, "application/problem+json", "The problem document has no title."),
        (422, PROBLEM | {"detail": 3}, "application/problem+json", "The problem document has no detail."),
        (422, PROBLEM | {"request_id": None}, "application/problem+json", "The problem document has no request_id."),
        (422, [PROBLEM], "application/problem+json", "The error response is not a JSON object."),
    ],
)
def test_any_other_response_is_named(status, body, media_type, sentence):
    """The message says what is wrong with the response."""
    with pytest.raises(WrongAnswer) as wrong:
        check_refusal(status, json.dumps(body).encode(), media_type, [400, 422])

    assert str(wrong.value) == sentence
