"""Answers about several rows need one valid value per row."""

from __future__ import annotations

import json

import pytest

from loadtest.answers import WrongAnswer
from loadtest.batch_answers import check_inference, check_predictions

LABELS = {"name": "is_inlier", "datatype": "INT64", "shape": [2], "data": [1, -1]}
SCORES = {"name": "anomaly_score", "datatype": "FP64", "shape": [2], "data": [-0.4, -0.7]}
INFERENCE = {"model_name": "credits", "model_version": "1", "outputs": [SCORES, LABELS]}


def rejection(check, *arguments):
    """Return the message with which a check fails."""
    with pytest.raises(WrongAnswer) as wrong:
        check(*arguments)
    return str(wrong.value)


def test_correct_batches_pass():
    """One label per row, and one score per row if requested."""
    check_predictions(200, b'{"is_inlier": [1, -1], "anomaly_score": [-0.4, -1]}', 2, True)
    check_predictions(200, b'{"is_inlier": [1, -1]}', 2, False)


@pytest.mark.parametrize(
    ("status", "answer", "sentence"),
    [
        (503, {"title": "No model"}, "The status is 503 (No model), expected 200."),
        (200, {"anomaly_score": [-0.4, -0.5]}, "is_inlier is missing or not a list."),
        (200, {"is_inlier": [1, 1]}, "anomaly_score is missing although the request asked for it."),
        (200, {"is_inlier": [1, 2], "anomaly_score": [-0.4, -0.5]}, "is_inlier is 2, expected 1 or -1."),
        (200, {"is_inlier": [1], "anomaly_score": [-0.4, -0.5]}, "is_inlier does not have one value per row."),
        (200, {"is_inlier": [1, 1], "anomaly_score": [-0.4]}, "anomaly_score does not have one value per row."),
        (200, {"is_inlier": [1, 1], "anomaly_score": [-0.4, 3]}, "anomaly_score is above the range [-1, 0]."),
    ],
)
def test_wrong_batch_is_named(status, answer, sentence):
    """The message says what is wrong with an answer for two rows with scores."""
    assert rejection(check_predictions, status, json.dumps(answer).encode(), 2, True) == sentence


def test_scores_that_were_not_requested_are_wrong():
    """Scores must be absent unless requested."""
    body = b'{"is_inlier": [1], "anomaly_score": [-0.4]}'

    assert "did not ask for it" in rejection(check_predictions, 200, body, 1, False)


def test_correct_inference_passes():
    """Both outputs pass in any order, with the protocol's datatypes."""
    check_inference(200, json.dumps(INFERENCE).encode(), 2, "credits")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model_name": "other"}, "model_name is not the name of the requested model."),
        ({"outputs": None}, "outputs is missing or not a list of tensors."),
        ({"outputs": [3]}, "outputs is missing or not a list of tensors."),
        ({"outputs": [LABELS]}, "The output anomaly_score is missing."),
        ({"outputs": [SCORES]}, "The output is_inlier is missing."),
        (
            {"outputs": [LABELS | {"datatype": "FP64"}, SCORES]},
            "The output is_inlier does not have the datatype INT64.",
        ),
        (
            {"outputs": [LABELS, SCORES | {"shape": [2, 1]}]},
            "The output anomaly_score does not have the shape [rows].",
        ),
        ({"outputs": [LABELS | {"data": [1]}, SCORES]}, "is_inlier does not have one value per row."),
        ({"outputs": [LABELS | {"data": [1, 0]}, SCORES]}, "is_inlier is 0, expected 1 or -1."),
        ({"outputs": [LABELS, {"name": ["x"]}]}, "The output anomaly_score is missing."),
    ],
)
def test_wrong_inference_is_named(change, sentence):
    """The message says what is wrong with an answer for two rows."""
    assert rejection(check_inference, 200, json.dumps(INFERENCE | change).encode(), 2, "credits") == sentence
