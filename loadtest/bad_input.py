"""Requests that the service must refuse, and what a refusal must look like."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.answers import WrongAnswer, strict_json

JSON_MEDIA_TYPE = "application/json"
PROBLEM_MEDIA_TYPE = "application/problem+json"

# The largest float32 is 3.4e38; JSON and Python can say this one.
BEYOND_FLOAT32 = 1e39

# One byte more than the service takes unless MAX_BODY_BYTES was raised. Where it was, the row is still too long.
TOO_MANY_BYTES = 1_048_577


@dataclass(frozen=True)
class BadInput:
    """A request to ``POST /prediction`` that must be refused.

    Parameters
    ----------
    name
        Under which Locust counts it.
    body
        What is sent.
    statuses
        What it may be answered with.
    media_type
        What it says to be.
    ends_connection
        Whether nothing else is sent over its connection: a body that is refused by its length is not read to its end.
    """

    name: str
    body: bytes
    statuses: tuple[int, ...]
    media_type: str = JSON_MEDIA_TYPE
    ends_connection: bool = False


def make_bad_inputs(row: Sequence[float]) -> list[BadInput]:
    """Spoil a good row in every way that callers do.

    Parameters
    ----------
    row
        A row that the service would answer.

    Returns
    -------
    One request for each way.

    Examples
    --------
    >>> [bad.statuses for bad in make_bad_inputs((0.5, 0.25)) if bad.name == "wrong length"]
    [(422,)]
    """
    others = list(row[1:])
    return [
        BadInput("empty object", b"{}", (422,)),
        BadInput("wrong type", _body(["abc", *others]), (422,)),
        BadInput("wrong length", _body([*row, 0.0]), (422,)),
        # Python writes NaN and Infinity, which JSON does not have.
        BadInput("NaN", _body([float("nan"), *others]), (400,)),
        BadInput("infinite", _body([float("inf"), *others]), (400,)),
        BadInput("too big number", _body([BEYOND_FLOAT32, *others]), (422,)),
        BadInput(
            "too big body",
            b'{"feature_vector": [%s0]}' % (b"0," * (TOO_MANY_BYTES // 2)),
            (413, 422),
            ends_connection=True,
        ),
        BadInput("not JSON", b"feature_vector=0.5", (400,)),
        BadInput("wrong media type", _body(list(row)), (415,), media_type="text/plain"),
    ]


def check_refusal(status: int, body: bytes, media_type: str, expected: Sequence[int]) -> None:
    """Check the answer to a bad request.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The body as it came.
    media_type
        The answer's Content-Type.
    expected
        The statuses that this request may be answered with.

    Raises
    ------
    WrongAnswer
        Unless the status is an expected one and the body is a problem document (RFC 9457) of that status with a
        title, a detail and a request id.

    Examples
    --------
    >>> check_refusal(200, b'{"is_inlier": 1}', "application/json", [422])
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: The status is 200, expected 422.
    """
    if status not in expected:
        raise WrongAnswer(f"The status is {status}, expected {' or '.join(map(str, expected))}.")
    if media_type.partition(";")[0].strip() != PROBLEM_MEDIA_TYPE:
        raise WrongAnswer(f"The refusal is not of the media type {PROBLEM_MEDIA_TYPE}.")
    problem = strict_json(body)
    if not isinstance(problem, dict):
        raise WrongAnswer("The refusal is JSON, but not an object.")
    if problem.get("status") != status:
        raise WrongAnswer("The refusal names another status than its own.")
    for name in ("title", "detail", "request_id"):
        if not isinstance(problem.get(name), str) or not problem[name]:
            raise WrongAnswer(f"The refusal has no {name}.")


def _body(numbers: Sequence[object]) -> bytes:
    """Write a request as Python does."""
    return json.dumps({"feature_vector": numbers}).encode()
