"""Answers about many rows have a good value for each, and nothing else passes."""

from __future__ import annotations

import json

import pytest

from loadtest.answers import WrongAnswer
from loadtest.answers_of_many import check_inference, check_predictions

LABELS = {"name": "is_inlier", "datatype": "INT64", "shape": [2], "data": [1, -1]}
SCORES = {"name": "anomaly_score", "datatype": "FP64", "shape": [2], "data": [-0.4, -0.7]}
INFERENCE = {"model_name": "credits", "model_version": "1", "outputs": [SCORES, LABELS]}


def refused(check, *arguments):
    """Give the sentence with which a check refuses."""
    with pytest.raises(WrongAnswer) as wrong:
        check(*arguments)
    return str(wrong.value)


def test_good_batches_pass():
    """One label a row, and one score a row where they were asked for."""
    check_predictions(200, b'{"is_inlier": [1, -1], "anomaly_score": [-0.4, -1]}', 2, True)
    check_predictions(200, b'{"is_inlier": [1, -1]}', 2, False)


@pytest.mark.parametrize(
    ("status", "answer", "sentence"),
    [
        (503, {"title": "No model"}, "The status is 503 (No model), expected 200."),
        (200, {"anomaly_score": [-0.4, -0.5]}, "is_inlier is missing or is not a list."),
        (200, {"is_inlier": [1, 1]}, "anomaly_score is missing although the request asked for it."),
        (200, {"is_inlier": [1, 2], "anomaly_score": [-0.4, -0.5]}, "is_inlier is 2, expected 1 or -1."),
        (200, {"is_inlier": [1], "anomaly_score": [-0.4, -0.5]}, "is_inlier has not one value for each row."),
        (200, {"is_inlier": [1, 1], "anomaly_score": [-0.4]}, "anomaly_score has not one value for each row."),
        (200, {"is_inlier": [1, 1], "anomaly_score": [-0.4, 3]}, "anomaly_score is above the range of [-1, 0]."),
    ],
)
def test_wrong_batch_is_named(status, answer, sentence):
    """The sentence says what was wrong with an answer to two rows and a wish for scores."""
    assert refused(check_predictions, status, json.dumps(answer).encode(), 2, True) == sentence


def test_scores_that_nobody_asked_for_are_wrong():
    """Scores come exactly when they are asked for."""
    body = b'{"is_inlier": [1], "anomaly_score": [-0.4]}'

    assert "did not ask for it" in refused(check_predictions, 200, body, 1, False)


def test_good_inference_passes():
    """Both outputs in any order, of the protocol's types."""
    check_inference(200, json.dumps(INFERENCE).encode(), 2, "credits")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model_name": "other"}, "model_name is not the name of the model that was asked."),
        ({"outputs": None}, "outputs is missing or is not a list of tensors."),
        ({"outputs": [3]}, "outputs is missing or is not a list of tensors."),
        ({"outputs": [LABELS]}, "The output anomaly_score is missing."),
        ({"outputs": [SCORES]}, "The output is_inlier is missing."),
        ({"outputs": [LABELS | {"datatype": "FP64"}, SCORES]}, "The output is_inlier is not of the datatype INT64."),
        (
            {"outputs": [LABELS, SCORES | {"shape": [2, 1]}]},
            "The output anomaly_score has not the shape of one value for each row.",
        ),
        ({"outputs": [LABELS | {"data": [1]}, SCORES]}, "is_inlier has not one value for each row."),
        ({"outputs": [LABELS | {"data": [1, 0]}, SCORES]}, "is_inlier is 0, expected 1 or -1."),
        ({"outputs": [LABELS, {"name": ["x"]}]}, "The output anomaly_score is missing."),
    ],
)
def test_wrong_inference_is_named(change, sentence):
    """The sentence says what was wrong with an answer to two rows."""
    assert refused(check_inference, 200, json.dumps(INFERENCE | change).encode(), 2, "credits") == sentence
