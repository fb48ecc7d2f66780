"""What the service must answer, checked without the service's own code.

The sentences name no value that differs from row to row: Locust counts equal sentences together, and would
otherwise keep and print one line for every wrong answer of a long run.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

# Labels are those of scikit-learn's `predict`: 1 is an inlier, -1 an outlier.
LABELS = (1, -1)

# Scores are those of scikit-learn's `score_samples`, which an Isolation Forest keeps within these bounds.
LOWEST_SCORE = -1.0
HIGHEST_SCORE = 0.0

# A problem's title is one line for people; whatever is longer would spoil the table of failures.
LONGEST_TITLE = 120


class WrongAnswer(Exception):
    """An answer that breaks the contract; the message is one sentence that says how."""


def check_prediction(status: int, body: bytes, asked_score: bool) -> None:
    """Check one answer of ``POST /prediction``.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The body as it came.
    asked_score
        Whether the request asked for the score.

    Raises
    ------
    WrongAnswer
        Unless the status is 200, ``is_inlier`` is 1 or -1, and ``anomaly_score`` is there exactly when it was
        asked for, in [-1, 0].

    Examples
    --------
    >>> check_prediction(200, b'{"is_inlier": 1, "anomaly_score": -0.43}', asked_score=True)
    >>> check_prediction(200, b'{"is_inlier": 1}', asked_score=True)
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: anomaly_score is missing although the request asked for it.
    """
    answer = answered_object(status, body)
    if "is_inlier" not in answer:
        raise WrongAnswer("is_inlier is missing.")
    check_label(answer["is_inlier"])
    check_presence_of_score(answer, asked_score)
    if asked_score:
        check_score(answer["anomaly_score"])


def check_model_information(status: int, body: bytes) -> None:
    """Check one answer of ``GET /model_information``.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The body as it came.

    Raises
    ------
    WrongAnswer
        Unless the status is 200 and ``model.version`` is a text.

    Examples
    --------
    >>> check_model_information(200, b'{"model": {"version": "20260131T120000Z-0123abcd"}}')
    >>> check_model_information(200, b'{"n_estimators": 100}')
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: model.version is missing or is not a text.
    """
    model = answered_object(status, body).get("model")
    version = model.get("version") if isinstance(model, dict) else None
    if not isinstance(version, str) or not version:
        raise WrongAnswer("model.version is missing or is not a text.")


def answered_object(status: int, body: bytes) -> dict[str, Any]:
    """Return the JSON object of a good answer."""
    if status != 200:
        raise WrongAnswer(f"The status is {status}{_problem_title(body)}, expected 200.")
    answer = strict_json(body)
    if not isinstance(answer, dict):
        raise WrongAnswer("The answer is JSON, but not an object.")
    return answer


def _problem_title(body: bytes) -> str:
    """Return the title of a problem document in brackets, or nothing; unlike its detail it names no row."""
    try:
        problem = strict_json(body)
    except WrongAnswer:
        return ""
    title = problem.get("title") if isinstance(problem, dict) else None
    return f" ({title[:LONGEST_TITLE]})" if isinstance(title, str) else ""


def strict_json(body: bytes) -> Any:
    """Parse JSON, without the NaN and Infinity that Python's parser would let pass."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise WrongAnswer("The answer is not JSON.") from None


def _refuse_constant(name: str) -> NoReturn:
    """Refuse a number that JSON does not have."""
    raise WrongAnswer(f"The answer is not JSON, it holds {name}.")


def check_label(label: Any) -> None:
    """Check one label."""
    # The exact type, because True and 1.0 equal 1 in Python and are something else to other clients.
    if type(label) is not int:
        raise WrongAnswer(f"is_inlier is of the type {type(label).__name__}, expected the number 1 or -1.")
    if label not in LABELS:
        raise WrongAnswer(f"is_inlier is {label}, expected 1 or -1.")


def check_presence_of_score(answer: dict[str, Any], asked_score: bool) -> None:
    """Check that ``anomaly_score`` is there exactly when it was asked for."""
    if asked_score and "anomaly_score" not in answer:
        raise WrongAnswer("anomaly_score is missing although the request asked for it.")
    if not asked_score and "anomaly_score" in answer:
        raise WrongAnswer("anomaly_score is there although the request did not ask for it.")


def check_score(score: Any) -> None:
    """Check one score."""
    # Some encoders write -1.0 as -1, so a whole number is as good; True is an int to Python only.
    if isinstance(score, bool) or not isinstance(score, int | float):
        raise WrongAnswer(f"anomaly_score is of the type {type(score).__name__}, expected a number.")
    if not LOWEST_SCORE <= score <= HIGHEST_SCORE:
        side = "above" if score > HIGHEST_SCORE else "below"
        raise WrongAnswer(f"anomaly_score is {side} the range of [-1, 0].")
