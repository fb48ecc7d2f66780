"""Invalid requests, and the check that the service rejects them properly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.answers import WrongAnswer, strict_json

JSON_MEDIA_TYPE = "application/json"
PROBLEM_MEDIA_TYPE = "application/problem+json"

# The largest float32 is 3.4e38; JSON and Python can represent this number.
BEYOND_FLOAT32 = 1e39

# One byte over the service's default limit. If MAX_BODY_BYTES was raised, the row is still too long.
OVERSIZED_BYTES = 1_048_577


@dataclass(frozen=True)
class BadInput:
    """An invalid request to ``POST /prediction``.

    Parameters
    ----------
    name
        Name in Locust's table.
    body
        The request body.
    statuses
        Acceptable response statuses.
    media_type
        The request's Content-Type.
    ends_connection
        Whether to close the connection afterwards: the service rejects a body by its Content-Length without reading it.
    """

    name: str
    body: bytes
    statuses: tuple[int, ...]
    media_type: str = JSON_MEDIA_TYPE
    ends_connection: bool = False


def make_bad_inputs(row: Sequence[float]) -> list[BadInput]:
    """Build invalid requests from a valid row, one for each mistake that callers make.

    Parameters
    ----------
    row
        A valid row.

    Returns
    -------
    One request per mistake.

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
        # json.dumps writes NaN and Infinity, which are not part of JSON.
        BadInput("NaN", _body([float("nan"), *others]), (400,)),
        BadInput("infinite", _body([float("inf"), *others]), (400,)),
        BadInput("too big number", _body([BEYOND_FLOAT32, *others]), (422,)),
        BadInput(
            "too big body",
            b'{"feature_vector": [%s0]}' % (b"0," * (OVERSIZED_BYTES // 2)),
            (413, 422),
            ends_connection=True,
        ),
        BadInput("not JSON", b"feature_vector=0.5", (400,)),
        BadInput("wrong media type", _body(list(row)), (415,), media_type="text/plain"),
    ]


def check_refusal(status: int, body: bytes, media_type: str, expected: Sequence[int]) -> None:
    """Check the response to an invalid request.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The response body.
    media_type
        The response's Content-Type.
    expected
        Acceptable statuses for this request.

    Raises
    ------
    WrongAnswer
        If the status is not an expected one, or the body is not a problem document (RFC 9457) with that status, a
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
        raise WrongAnswer(f"The error response does not have the media type {PROBLEM_MEDIA_TYPE}.")
    problem = strict_json(body)
    if not isinstance(problem, dict):
        raise WrongAnswer("The error response is not a JSON object.")
    if problem.get("status") != status:
        raise WrongAnswer("The problem document's status differs from the response's status.")
    for name in ("title", "detail", "request_id"):
        if not isinstance(problem.get(name), str) or not problem[name]:
            raise WrongAnswer(f"The problem document has no {name}.")


def _body(numbers: Sequence[object]) -> bytes:
    """Serialize a request with Python's json module, which also writes NaN and Infinity."""
    return json.dumps({"feature_vector": numbers}).encode()
