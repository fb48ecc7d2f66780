"""NVIDIA Triton's client finds, describes and calls the model, and gets scikit-learn's answers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import joblib
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.system.running_service import RunningService, start_service

pytestmark = pytest.mark.system

ROWS = 200


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A running service."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as service:
        yield service


@pytest.fixture
def client(service: RunningService) -> Iterator[InferenceServerClient]:
    """Triton's client, connected to the service."""
    client = InferenceServerClient(service.address.removeprefix("http://"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def rows(training_csv: Path) -> np.ndarray:
    """The first rows of the training file, in the precision of the forest."""
    with training_csv.open(newline="") as file:
        return np.array([[float(cell) for cell in row] for row in islice(csv.reader(file), 1, ROWS + 1)], np.float32)


def _tensor(name: str, values: np.ndarray, is_binary: bool) -> InferInput:
    """Return an input tensor."""
    datatype = {"float32": "FP32", "float64": "FP64"}[values.dtype.name]
    tensor = InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=is_binary)
    return tensor


def _assert_answer_of_scikit_learn(result, rows: np.ndarray, models: Path) -> None:
    """Compare labels and scores with those of the scikit-learn estimator."""
    estimator = joblib.load(models / "current" / "model.joblib")
    labels, scores = result.as_numpy("is_inlier"), result.as_numpy("anomaly_score")
    assert (labels.dtype, scores.dtype) == (np.int64, np.float64)
    np.testing.assert_array_equal(labels, estimator.predict(rows))
    np.testing.assert_allclose(scores, estimator.score_samples(rows), rtol=0, atol=1e-12)


def test_service_is_live_and_ready(client: InferenceServerClient, service: RunningService):
    """Server and model are ready, the model by name and by version."""
    (model,) = client.get_model_repository_index()

    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(model["name"])
    assert client.is_model_ready(model["name"], model["version"])
    assert not client.is_model_ready("another")
    assert not client.is_model_ready(model["name"], "another")


def test_metadata_describes_the_model(client: InferenceServerClient, service: RunningService):
    """The metadata agrees with `/model_information`."""
    (listed,) = client.get_model_repository_index()
    live = service.get("/model_information").json()["model"]
    described = client.get_model_metadata(listed["name"])

    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert (listed["name"], listed["version"], listed["state"]) == (live["name"], live["version"], "READY")
    assert described == client.get_model_metadata(live["name"], live["version"])
    assert (described["name"], described["versions"]) == (live["name"], [live["version"]])
    (given,) = described["inputs"]
    assert (given["datatype"], given["shape"]) == ("FP32", [-1, 2])
    assert given["parameters"]["feature_names"] == live["feature_names"]
    assert [(output["name"], output["datatype"]) for output in described["outputs"]] == [
        ("is_inlier", "INT64"),
        ("anomaly_score", "FP64"),
    ]


@pytest.mark.parametrize("is_binary_in", [True, False])
@pytest.mark.parametrize("is_binary_out", [True, False])
def test_answers_are_those_of_scikit_learn(client, rows, credits_models: Path, is_binary_in: bool, is_binary_out: bool):
    """Rows as a single tensor, with binary or JSON input and output."""
    outputs = [InferRequestedOutput(name, binary_data=is_binary_out) for name in ("anomaly_score", "is_inlier")]
    result = client.infer("isowatch", [_tensor("rows", rows, is_binary_in)], outputs=outputs, request_id="r-17")

    answer = result.get_response()
    assert (answer["model_name"], answer["id"]) == ("isowatch", "r-17")
    assert [output["name"] for output in answer["outputs"]] == ["anomaly_score", "is_inlier"]
    assert all(("data" in output) != is_binary_out for output in answer["outputs"])
    _assert_answer_of_scikit_learn(result, rows, credits_models)


@pytest.mark.parametrize("is_binary", [True, False])
def test_features_may_be_separate_inputs(client, service, rows, credits_models: Path, is_binary: bool):
    """One input per feature, in any order, with either datatype and either shape."""
    live = service.get("/model_information").json()["model"]
    first, second = live["feature_names"]
    inputs = [
        _tensor(second, rows[:, 1:].astype(np.float64), is_binary),
        _tensor(first, np.ascontiguousarray(rows[:, 0]), is_binary),
    ]

    result = client.infer(live["name"], inputs, live["version"])

    _assert_answer_of_scikit_learn(result, rows, credits_models)


def test_client_shows_the_error_message(client: InferenceServerClient, rows: np.ndarray):
    """The service's message reaches the client's user."""
    with pytest.raises(InferenceServerException, match="expected shape") as error:
        client.infer("isowatch", [_tensor("rows", rows[:, :1].copy(), True)])
    assert error.value.status() == "400"
    with pytest.raises(InferenceServerException, match="no model 'another'") as error:
        client.infer("another", [_tensor("rows", rows, True)])
    assert error.value.status() == "404"
    with pytest.raises(InferenceServerException, match="deflate is not supported") as error:
        client.infer("isowatch", [_tensor("rows", rows, True)], request_compression_algorithm="deflate")
    assert error.value.status() == "415"


def test_client_may_compress(client: InferenceServerClient, rows: np.ndarray):
    """The JSON and the bytes of the tensors after it are compressed together."""
    tensors = [_tensor("rows", rows, True)]
    plain = client.infer("isowatch", tensors)
    compressed = client.infer("isowatch", tensors, request_compression_algorithm="gzip")

    assert compressed.as_numpy("is_inlier").tolist() == plain.as_numpy("is_inlier").tolist()


def test_body_over_the_limit_is_rejected(service: RunningService):
    """Inference has its own limit, and the client receives the answer."""
    answer = service.session.post(
        f"{service.address}/v2/models/isowatch/infer", data=b" " * (8_388_608 + 1), timeout=30
    )

    assert answer.status_code == 413
    assert "8388608 bytes" in answer.json()["error"]


def test_service_without_a_model_lists_none_and_is_not_ready(tmp_path: Path):
    """It is live, and says what to do."""
    with start_service(tmp_path, tmp_path / "models", until="/v2/health/live") as service:
        client = InferenceServerClient(service.address.removeprefix("http://"))
        assert client.is_server_live()
        assert not client.is_server_ready()
        assert client.get_model_repository_index() == []
        with pytest.raises(InferenceServerException, match="make train") as error:
            client.get_model_metadata("isowatch")
        assert error.value.status() == "503"
        client.close()
