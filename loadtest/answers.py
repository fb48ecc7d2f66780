"""Check answers about a single row or the model, without importing the service's code.

Messages contain no value that differs from row to row: Locust groups failures by message, so a message with row
values would add one line to its table for every wrong answer of a long run.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

# As returned by scikit-learn's `predict`: 1 is an inlier, -1 an outlier.
LABELS = (1, -1)

# scikit-learn's `score_samples` of an Isolation Forest is always within these bounds.
MIN_SCORE = -1.0
MAX_SCORE = 0.0

# A problem's title is one short line; anything longer would break the layout of the failure table.
MAX_TITLE_LENGTH = 120


class WrongAnswer(Exception):
    """An answer violates the API contract; the message says how, in one sentence."""


def check_prediction(status: int, body: bytes, with_score: bool) -> None:
    """Check the response to ``POST /prediction``.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The response body.
    with_score
        Whether the request had ``"score": true``.

    Raises
    ------
    WrongAnswer
        If the status is not 200, ``is_inlier`` is not 1 or -1, ``anomaly_score`` is present without having been
        requested (or missing although requested), or the score is outside [-1, 0].

    Examples
    --------
    >>> check_prediction(200, b'{"is_inlier": 1, "anomaly_score": -0.43}', with_score=True)
    >>> check_prediction(200, b'{"is_inlier": 1}', with_score=True)
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: anomaly_score is missing although the request asked for it.
    """
    answer = parse_object(status, body)
    if "is_inlier" not in answer:
        raise WrongAnswer("is_inlier is missing.")
    check_label(answer["is_inlier"])
    check_score_presence(answer, with_score)
    if with_score:
        check_score(answer["anomaly_score"])


def check_model_information(status: int, body: bytes) -> None:
    """Check the response to ``GET /model_information``.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The response body.

    Raises
    ------
    WrongAnswer
        If the status is not 200 or ``model.version`` is not a non-empty string.

    Examples
    --------
    >>> check_model_information(200, b'{"model": {"version": "20260131T120000Z-0123abcd"}}')
    >>> check_model_information(200, b'{"n_estimators": 100}')
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: model.version is missing or not a string.
    """
    model = parse_object(status, body).get("model")
    version = model.get("version") if isinstance(model, dict) else None
    if not isinstance(version, str) or not version:
        raise WrongAnswer("model.version is missing or not a string.")


def parse_object(status: int, body: bytes) -> dict[str, Any]:
    """Check that the status is 200 and return the JSON object in the body."""
    if status != 200:
        raise WrongAnswer(f"The status is {status}{_problem_title(body)}, expected 200.")
    answer = strict_json(body)
    if not isinstance(answer, dict):
        raise WrongAnswer("The answer is not a JSON object.")
    return answer


def _problem_title(body: bytes) -> str:
    """Return a problem document's title in parentheses, or "" (its detail may contain values of the row)."""
    try:
        problem = strict_json(body)
    except WrongAnswer:
        return ""
    title = problem.get("title") if isinstance(problem, dict) else None
    return f" ({title[:MAX_TITLE_LENGTH]})" if isinstance(title, str) else ""


def strict_json(body: bytes) -> Any:
    """Parse JSON strictly: reject NaN and Infinity, which Python's parser accepts by default."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise WrongAnswer("The answer is not valid JSON.") from None


def _refuse_constant(name: str) -> NoReturn:
    """Reject a constant that is not part of JSON."""
    raise WrongAnswer(f"The answer is not valid JSON: it contains {name}.")


def check_label(label: Any) -> None:
    """Check that a label is the integer 1 or -1."""
    # Compare types exactly: in Python True and 1.0 equal 1, but other clients distinguish them.
    if type(label) is not int:
        raise WrongAnswer(f"is_inlier has type {type(label).__name__}, expected the integer 1 or -1.")
    if label not in LABELS:
        raise WrongAnswer(f"is_inlier is {label}, expected 1 or -1.")


def check_score_presence(answer: dict[str, Any], with_score: bool) -> None:
    """Check that ``anomaly_score`` is present if and only if it was requested."""
    if with_score and "anomaly_score" not in answer:
        raise WrongAnswer("anomaly_score is missing although the request asked for it.")
    if not with_score and "anomaly_score" in answer:
        raise WrongAnswer("anomaly_score is present although the request did not ask for it.")


def check_score(score: Any) -> None:
    """Check that a score is a number in [-1, 0]."""
    # Some encoders write -1.0 as -1, so an int is fine; bool is a subclass of int and must be rejected.
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise WrongAnswer(f"anomaly_score has type {type(score).__name__}, expected a number.")
    if not MIN_SCORE <= score <= MAX_SCORE:
        side = "above" if score > MAX_SCORE else "below"
        raise WrongAnswer(f"anomaly_score is {side} the range [-1, 0].")
