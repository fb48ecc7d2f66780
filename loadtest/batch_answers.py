"""Check answers about several rows: JSON batches and tensors of the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from loadtest.answers import WrongAnswer, check_label, check_score, check_score_presence, parse_object

# The outputs of the Open Inference Protocol: datatype and the check for each value.
OUTPUTS: dict[str, tuple[str, Callable[[Any], None]]] = {
    "is_inlier": ("INT64", check_label),
    "anomaly_score": ("FP64", check_score),
}


def check_predictions(status: int, body: bytes, n_rows: int, with_score: bool) -> None:
    """Check the response to ``POST /predictions``.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The response body.
    n_rows
        Number of rows sent.
    with_score
        Whether the request had ``"score": true``.

    Raises
    ------
    WrongAnswer
        If the status is not 200, there is not exactly one valid label per row, or scores are missing although
        requested, present although not requested, not one per row, or invalid.

    Examples
    --------
    >>> check_predictions(200, b'{"is_inlier": [1, -1]}', n_rows=2, with_score=False)
    >>> check_predictions(200, b'{"is_inlier": [1]}', n_rows=2, with_score=False)
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: is_inlier does not have one value per row.
    """
    answer = parse_object(status, body)
    check_score_presence(answer, with_score)
    for name in ("is_inlier", "anomaly_score") if with_score else ("is_inlier",):
        _check_values(name, answer.get(name), n_rows)


def check_inference(status: int, body: bytes, n_rows: int, model_name: str) -> None:
    """Check the response to ``POST /v2/models/<name>/infer``.

    Parameters
    ----------
    status
        The HTTP status.
    body
        The response body.
    n_rows
        Number of rows sent.
    model_name
        Name of the model in the request's path.

    Raises
    ------
    WrongAnswer
        If the status is not 200, the answer names a different model, or its outputs are not ``is_inlier`` and
        ``anomaly_score`` with the protocol's datatypes, the shape ``[n_rows]`` and a valid value for each row.

    Examples
    --------
    >>> check_inference(200, b'{"model_name": "isowatch", "outputs": []}', n_rows=1, model_name="isowatch")
    Traceback (most recent call last):
    ...
    loadtest.answers.WrongAnswer: The output is_inlier is missing.
    """
    answer = parse_object(status, body)
    if answer.get("model_name") != model_name:
        raise WrongAnswer("model_name is not the name of the requested model.")
    outputs = answer.get("outputs")
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise WrongAnswer("outputs is missing or not a list of tensors.")
    by_name = {repr(output.get("name")): output for output in outputs}
    for name, (datatype, _) in OUTPUTS.items():
        output = by_name.get(repr(name))
        if output is None:
            raise WrongAnswer(f"The output {name} is missing.")
        if output.get("datatype") != datatype:
            raise WrongAnswer(f"The output {name} does not have the datatype {datatype}.")
        if output.get("shape") != [n_rows]:
            raise WrongAnswer(f"The output {name} does not have the shape [rows].")
        _check_values(name, output.get("data"), n_rows)


def _check_values(name: str, values: Any, n_rows: int) -> None:
    """Check that there is exactly one valid value per row."""
    if not isinstance(values, list):
        raise WrongAnswer(f"{name} is missing or not a list.")
    if len(values) != n_rows:
        raise WrongAnswer(f"{name} does not have one value per row.")
    _, check = OUTPUTS[name]
    for value in values:
        check(value)
