"""``POST /v2/models/<name>/infer`` scores rows in every form of the protocol, or reports what is wrong."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.api.service import service_of

PATH = "/v2/models/isowatch/infer"
ROWS = [[0.56, 0.23], [66.3, 53.2], [-0.158, -0.1067]]
LENGTH = "Inference-Header-Content-Length"


def _input(data: object = ROWS, **changes: object) -> dict[str, object]:
    """Return the rows as one input, with changes."""
    return {"name": "rows", "shape": [3, 2], "datatype": "FP64", "data": data} | changes


def _columns() -> list[dict[str, Any]]:
    """Return the rows as one input per feature."""
    columns = zip(("mean", "sd"), zip(*ROWS, strict=True), strict=True)
    return [_input(list(numbers), name=name, shape=[3]) for name, numbers in columns]


def _expected(service: Flask) -> tuple[list[int], list[float]]:
    """Score the rows without the protocol."""
    forest = service_of(service).model.get().forest
    scores, labels = forest.score_and_label(ROWS)
    return labels.tolist(), scores.tolist()


def _counted(service: Flask, status: str) -> float:
    parts = service_of(service)
    labels = {"model_version": parts.model.get().version, "status": status}
    return parts.metrics.registry.get_sample_value("model_prediction_requests_total", labels)


def _send_binary(client: FlaskClient, frame: dict[str, object], tail: bytes, **headers: str):
    """Send JSON and the bytes that follow it."""
    head = json.dumps(frame).encode()
    headers = {LENGTH: str(len(head))} | headers
    return client.post(PATH, data=head + tail, headers=headers, content_type="application/octet-stream")


def test_answer_follows_the_protocol(client: FlaskClient, service: Flask):
    """It has the model's name and version, and both outputs with their types and shapes."""
    answer = client.post(PATH, json={"inputs": [_input()], "id": "r-1", "parameters": {"priority": 3}})

    labels, scores = _expected(service)
    version = service_of(service).model.get().version
    assert answer.headers["X-Model-Version"] == version
    assert answer.json == {
        "model_name": "isowatch",
        "model_version": version,
        "id": "r-1",
        "outputs": [
            {"name": "is_inlier", "datatype": "INT64", "shape": [3], "data": labels},
            {"name": "anomaly_score", "datatype": "FP64", "shape": [3], "data": scores},
        ],
    }


@pytest.mark.parametrize(
    "inputs",
    [
        [_input([number for row in ROWS for number in row])],
        [_input(name="", datatype="FP32")],
        _columns(),
        _columns()[::-1],
        [column | {"shape": [3, 1]} for column in _columns()],
        [column | {"shape": [3, 1], "data": [[number] for number in column["data"]]} for column in _columns()],
    ],
)
def test_rows_may_have_many_forms(client: FlaskClient, service: Flask, inputs: list[object]):
    """Flat or nested, together or feature by feature in any order, the scores are the same."""
    answer = client.post(PATH, json={"inputs": inputs})

    assert answer.status_code == 200, answer.json
    assert [output["data"] for output in answer.json["outputs"]] == list(_expected(service))
    assert "id" not in answer.json


def test_null_means_absent(client: FlaskClient):
    """MLServer's clients send null for fields that they do not use."""
    tensor = _input(parameters={"content_type": "np", "headers": None})
    body = {"id": None, "parameters": None, "inputs": [tensor], "outputs": None}

    assert client.post(PATH, json=body).status_code == 200


def test_only_requested_outputs_are_returned(client: FlaskClient):
    """They are in the order of the request."""
    body = {"inputs": [_input()], "outputs": [{"name": "anomaly_score"}]}
    (output,) = client.post(PATH, json=body).json["outputs"]
    swapped = body | {"outputs": [{"name": "anomaly_score"}, {"name": "is_inlier"}]}

    assert output["name"] == "anomaly_score"
    names = [output["name"] for output in client.post(PATH, json=swapped).json["outputs"]]
    assert names == ["anomaly_score", "is_inlier"]


def test_version_may_be_named(client: FlaskClient, service: Flask):
    """The live version answers, and another one is not found."""
    version = service_of(service).model.get().version

    assert client.post(f"/v2/models/isowatch/versions/{version}/infer", json={"inputs": [_input()]}).status_code == 200
    refused = client.post("/v2/models/isowatch/versions/1/infer", json={"inputs": [_input()]})
    assert refused.status_code == 404
    assert refused.json == {"error": f"'isowatch' has no version '1': the live one is '{version}'."}


def test_bytes_in_and_out(client: FlaskClient, service: Flask):
    """Tensors follow the JSON in its order, little endian; a single output may be requested as JSON."""
    columns = [
        {"name": name, "shape": [3], "datatype": datatype, "parameters": {"binary_data_size": 3 * size}}
        for name, datatype, size in (("sd", "FP64", 8), ("mean", "FP32", 4))
    ]
    outputs = [{"name": "is_inlier", "parameters": {"binary_data": False}}, {"name": "anomaly_score"}]
    frame = {"inputs": columns, "outputs": outputs, "parameters": {"binary_data_output": True}}
    values = np.array(ROWS)
    answer = _send_binary(client, frame, values[:, 1].astype("<f8").tobytes() + values[:, 0].astype("<f4").tobytes())

    assert (answer.status_code, answer.mimetype) == (200, "application/octet-stream"), answer.data
    length = int(answer.headers[LENGTH])
    labels, scores = json.loads(answer.data[:length])["outputs"]
    expected_labels, expected_scores = _expected(service)
    assert labels["data"] == expected_labels
    assert (scores["parameters"], "data" in scores) == ({"binary_data_size": 24}, False)
    assert np.frombuffer(answer.data[length:], "<f8").tolist() == expected_scores


@pytest.mark.parametrize(
    ("frame", "tail_bytes", "length", "message"),
    [
        ({"binary_data_size": 40}, 40, None, "6 numbers of FP64 take 48 bytes, binary_data_size is 40"),
        ({"binary_data_size": 48}, 47, None, "binary_data_size is 48, but the body has 47 bytes left"),
        ({"binary_data_size": 48}, 49, None, "the body ends with 1 bytes that belong to no input"),
        ({"binary_data_size": -1}, 48, None, "inputs[0].parameters.binary_data_size: Must be greater"),
        ({"binary_data_size": True}, 48, None, "inputs[0].parameters.binary_data_size: Not a valid integer"),
        ({"binary_data_size": 10**30}, 48, None, "6 numbers of FP64 take 48 bytes"),
        ({"binary_data_size": 48}, 48, "many", "got 'many'"),
        ({"binary_data_size": 48}, 48, "-1", "got '-1'"),
        ({"binary_data_size": 48}, 48, "9" * 5000, "expected a number of bytes"),
        ({"binary_data_size": 48}, 48, "1000", "at most"),
        ({"binary_data_size": 48}, 48, "0", "not JSON"),
        ({"binary_data_size": 48}, 48, "10", "not JSON"),
        ({}, 48, None, "send either data or parameters.binary_data_size"),
    ],
)
def test_wrong_sizes_are_refused(client, service, frame, tail_bytes: int, length: str, message: str):
    """A byte too many or too few is reported."""
    tensor = {"name": "rows", "shape": [3, 2], "datatype": "FP64", "parameters": frame}
    answer = _send_binary(client, {"inputs": [tensor]}, bytes(tail_bytes), **({LENGTH: length} if length else {}))

    assert (answer.status_code, answer.mimetype) == (400, "application/json")
    assert message in answer.json["error"]
    assert _counted(service, "invalid") == 1


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([_input(shape=[3])], "input rows: expected shape [rows, 2] (mean, sd), got [3]"),
        ([_input(shape=[3, 3])], "input rows: expected shape [rows, 2] (mean, sd), got [3, 3]"),
        ([_input(shape=[3, 2, 1])], "inputs[0].shape: expected at most 2 items, got 3"),
        ([_input([], shape=[0, 2])], "inputs[0].shape[0]: Must be greater than or equal to 1."),
        ([_input(shape=[True, 2])], "inputs[0].shape[0]: Not a valid integer."),
        ([_input(datatype="BF16")], "inputs[0].datatype: Must be one of: FP16, FP32, FP64, INT8"),
        ([_input(ROWS[:2])], "input rows: expected 3 rows in data, got 2"),
        ([_input([[1, 2], [3], [4, 5]])], "input rows[1]: expected 2 numbers, got 1"),
        ([_input([1, 2, 3])], "input rows: expected 6 numbers in data, got 3"),
        ([_input([1, 2, 3, 4, 5, "6"])], "input rows[2, 1]: expected a number, got a string"),
        ([_input([[1, 2], [3, True], [4, 5]])], "input rows[1, 1]: expected a number, got a boolean"),
        ([_input([[1, 2], 3, 4, 5, 6, 7])], "input rows[0, 0]: expected a number, got a list"),
        ([_input([1, 2, 3, 4, 3.5e38, 6])], "input rows[2, 0]: expected a finite number between"),
        ([_input([1, -(10**400), 3, 4, 5, 6])], "input rows[0, 1]: expected a finite number between"),
        ([_input("text")], "inputs[0].data: expected a list of numbers, got a string"),
        ([_input(parameters={"binary_data_size": 48})], "input rows: send either data or parameters.binary_data_size"),
        ([_input()] * 2, "expected one of shape [rows, 2], or one for each of mean, sd, got rows, rows"),
        ([_columns()[0], _columns()[0]], "got mean, mean"),
        ([*_columns(), _input()], "got mean, sd, rows"),
        ([_columns()[0], _columns()[1] | {"shape": [2]}], "input sd: expected shape [3, 1] or [3], got [2]"),
        ([_columns()[0]], "input mean: expected shape [rows, 2] (mean, sd), got [3]"),
        ([], "inputs: Length must be between 1 and 256."),
        ([{}] * 257, "inputs: expected at most 256 items, got 257"),
    ],
)
def test_wrong_inputs_are_refused(client, service, inputs: list[object], message: str):
    """The message has input, row and column."""
    answer = client.post(PATH, json={"inputs": inputs})

    assert (answer.status_code, answer.mimetype) == (400, "application/json")
    assert message in answer.json["error"]
    assert _counted(service, "invalid") == 1


@pytest.mark.parametrize(
    ("body", "media_type", "status", "message"),
    [
        (b"{", "application/json", 400, "not JSON"),
        (b"", "", 400, "not JSON"),
        (b'{"inputs": NaN}', "application/json", 400, "not JSON: inputs: NaN is not a number"),
        (
            b'{"inputs": [{"data": [1, 1e400]}]}',
            "application/json",
            400,
            "inputs[0].data[1]: expected a number between",
        ),
        (b"[]", "application/json", 400, "expected an object with inputs, got a list"),
        (b"{}", "application/json", 400, "inputs: Missing data"),
        (b"{}", "application/x-www-form-urlencoded", 415, "Send the body as Content-Type: application/json or"),
    ],
)
def test_body_that_is_not_a_request_is_refused(client, body: bytes, media_type: str, status: int, message: str):
    """The refusal has the protocol's shape."""
    answer = client.post(PATH, data=body, content_type=media_type)

    assert (answer.status_code, answer.json.keys()) == (status, {"error"})
    assert message in answer.json["error"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": 7}, "id: Not a valid string."),
        ({"outputs": [{"name": "label"}]}, "outputs[0].name: Must be one of: is_inlier, anomaly_score."),
        ({"outputs": [{"name": "is_inlier", "parameters": {"binary_data": 1}}]}, "expected true or false"),
        ({"parameters": {"binary_data_output": "yes"}}, "parameters.binary_data_output: expected true or false"),
    ],
)
def test_wrong_fields_are_refused(client, change: dict[str, object], message: str):
    """The fields around the tensors are checked, too."""
    answer = client.post(PATH, json={"inputs": [_input()]} | change)

    assert answer.status_code == 400
    assert message in answer.json["error"]


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
@pytest.mark.parametrize("pattern", [np.nan, np.inf, -np.inf, "signalling"])
def test_bytes_that_are_not_finite_numbers_are_refused(client, dtype: str, pattern: float | str):
    """A signalling NaN is refused, too."""
    values = np.ones(6, dtype)
    if pattern == "signalling":
        bits = {"<f4": ("<u4", 0x7F800001), "<f8": ("<u8", 0x7FF0000000000001)}[dtype]
        values.view(bits[0])[3] = bits[1]
    else:
        values[3] = pattern
    datatype = {"<f4": "FP32", "<f8": "FP64"}[dtype]
    tensor = {"name": "rows", "shape": [3, 2], "datatype": datatype} | {
        "parameters": {"binary_data_size": values.nbytes}
    }

    answer = _send_binary(client, {"inputs": [tensor]}, values.tobytes())

    assert answer.status_code == 400
    assert "input rows[1, 1]: expected a finite number" in answer.json["error"]


def test_number_of_rows_is_limited(client: FlaskClient):
    """10,000 rows are answered, and one more is refused."""
    most = _input([0.5] * 20_000, shape=[10_000, 2])
    too_many = _input([0.5] * 20_002, shape=[10_001, 2])

    assert client.post(PATH, json={"inputs": [most]}).status_code == 200
    refused = client.post(PATH, json={"inputs": [too_many]})
    assert (refused.status_code, refused.json) == (
        413,
        {"error": "The request holds 10001 rows: send at most 10000 at once."},
    )


def test_bug_has_the_shape_of_the_protocol(client, service, monkeypatch: pytest.MonkeyPatch):
    """The answer is 500 without details, and counts as our error."""
    monkeypatch.setattr(service_of(service).model.get().forest, "score_and_label", lambda rows: 1 / 0)

    answer = client.post(PATH, json={"inputs": [_input()]})

    assert (answer.status_code, answer.json.keys()) == (500, {"error"})
    assert "division" not in answer.text
    assert (_counted(service, "error"), _counted(service, "invalid")) == (1, 0)


def test_requests_and_rows_are_counted(client: FlaskClient, service: Flask):
    """They count like those of /prediction: requests by outcome, rows by label."""
    client.post(PATH, json={"inputs": [_input()]})
    client.post("/v2/models/another/infer", json={"inputs": [_input()]})

    registry = service_of(service).metrics.registry
    labels, scores = _expected(service)
    assert (_counted(service, "success"), _counted(service, "invalid")) == (1, 1)
    assert registry.get_sample_value("predicted_class_total", {"class_name": "outlier"}) == labels.count(-1) == 2
    assert registry.get_sample_value("predictions_scores_count") == 3
    assert registry.get_sample_value("prediction_score_magnitude_total") == pytest.approx(-sum(scores))


def test_without_a_model_the_answer_says_what_to_do(client_without_model: FlaskClient):
    """The answer is 503 with a reason, in the protocol's shape."""
    answer = client_without_model.post(PATH, json={"inputs": [_input()]})

    assert answer.status_code == 503
    assert "make train" in answer.json["error"]
