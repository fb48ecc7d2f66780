"""What the service must answer when it is asked about many rows at once, as JSON or as tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtest.answers import WrongAnswer, answered_object, check_label, check_presence_of_score, check_score

# The outputs of the Open Inference Protocol with their types, and what each of their values must be.
OUTPUTS: dict[str, tuple[str, Callable[[Any], None]]] = {
    "is_inlier": ("INT64", check_label),
    "anomaly_score": ("FP64", check_score),
}


def check_predictions(status: int, body: bytes, n_rows: int, asked_score: bool) -> None:
    """Check one answer of ``POST /predictions``.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The body as it came.
    n_rows
        How many rows were sent.
    asked_score
        Whether the request asked for the scores.

    Raises
    ------
    WrongAnswer
        Unless the status is 200, there is one label a row, each 1 or -1, and one score a row exactly when scores were
        asked for, each in [-1, 0].

    Examples
    --------
    >>> check_predictions(200, b'{"is_inlier": [1, -1]}', n_rows=2, asked_score=False)
    >>> check_predictions(200, b'{"is_inlier": [1]}', n_rows=2, asked_score=False)
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: is_inlier has not one value for each row.
    """
    answer = answered_object(status, body)
    check_presence_of_score(answer, asked_score)
    for name in ("is_inlier", "anomaly_score") if asked_score else ("is_inlier",):
        _check_values(name, answer.get(name), n_rows)


def check_inference(status: int, body: bytes, n_rows: int, model_name: str) -> None:
    """Check one answer of ``POST /v2/models/<name>/infer``.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The body as it came.
    n_rows
        How many rows were sent.
    model_name
        Which model was asked.

    Raises
    ------
    WrongAnswer
        Unless the status is 200, the answer is from that model, and its outputs are ``is_inlier`` and
        ``anomaly_score``, of the protocol's types, with the shape ``[n_rows]`` and a good value for each row.

    Examples
    --------
    >>> check_inference(200, b'{"model_name": "isowatch", "outputs": []}', n_rows=1, model_name="isowatch")
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: The output is_inlier is missing.
    """
    answer = answered_object(status, body)
    if answer.get("model_name") != model_name:
        raise WrongAnswer("model_name is not the name of the model that was asked.")
    outputs = answer.get("outputs")
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise WrongAnswer("outputs is missing or is not a list of tensors.")
    by_name = {repr(output.get("name")): output for output in outputs}
    for name, (datatype, _) in OUTPUTS.items():
        output = by_name.get(repr(name))
        if output is None:
            raise WrongAnswer(f"The output {name} is missing.")
        if output.get("datatype") != datatype:
            raise WrongAnswer(f"The output {name} is not of the datatype {datatype}.")
        if output.get("shape") != [n_rows]:
            raise WrongAnswer(f"The output {name} has not the shape of one value for each row.")
        _check_values(name, output.get("data"), n_rows)


def _check_values(name: str, values: Any, n_rows: int) -> None:
    """Check that there is one good value for each row."""
    if not isinstance(values, list):
        raise WrongAnswer(f"{name} is missing or is not a list.")
    if len(values) != n_rows:
        raise WrongAnswer(f"{name} has not one value for each row.")
    _, check = OUTPUTS[name]
    for value in values:
        check(value)
