"""API keys on a running service: who may do what, who is named where, and what happens to those who guess."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

ROW = [-0.158, -0.1067]
KEYS = "\ufeff# names, roles, keys\r\nscoring predict 'key-of-scoring'\r\nanna labeller key-of-anna # since May\r\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key file as a Windows editor saves it."""
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_bytes(KEYS.encode("utf-16-le"))
    return path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path, file: Path) -> Iterator[RunningService]:
    """A service with keys, behind a proxy on this host that is played by the tests."""
    settings = {"API_KEYS_FILE": str(file), "TRUSTED_PROXIES": "127.0.0.1", "WEB_CONCURRENCY": "1"}
    with start_service(tmp_path_factory.mktemp("service"), credits_models, **settings) as running:
        yield running


def predict(service: RunningService, key: str) -> requests.Response:
    """Request a prediction with a key."""
    body = {"feature_vector": ROW}
    return requests.post(f"{service.address}/prediction", json=body, headers={"X-API-Key": key}, timeout=30)


def test_caller_is_named(service: RunningService):
    """In the label and in the metric; the key is in neither, nor in the log."""
    assert [predict(service, key).status_code for key in ("key-of-anna", "wrong", "")] == [403, 401, 401]
    record = predict(service, "key-of-scoring").headers["X-Record-ID"]
    anna, path = {"X-API-Key": "key-of-anna"}, f"{service.address}/predictions/{record}"
    wait_until(lambda: requests.get(path, headers=anna, timeout=30).status_code == 200, "the record", service)
    label = {"request_id": record, "is_inlier": -1, "source": "somebody"}
    assert requests.post(f"{service.address}/feedback", json=label, headers=anna, timeout=30).status_code == 202

    assert requests.get(path, headers=anna, timeout=30).json()["rows"][0]["label"]["given_by"] == "anna"
    assert service.metric("api_key_requests_total", caller="scoring", role="predict") == 1
    assert service.metric("api_key_requests_total", caller="anna", role="labeller") == 1
    assert service.metric("api_key_refused_requests_total", reason="without_role") == 1
    assert "key-of-" not in service.log()


def test_whoever_guesses_is_stopped(service: RunningService):
    """After ten wrong keys, by the address that the proxy saw."""
    address, path = "198.51.100.7", f"{service.address}/predictions/x"
    for number in range(11):
        forwarded = {"X-API-Key": f"guess-{number}", "X-Forwarded-For": f"203.0.113.{number}, {address}"}
        answer = requests.get(path, headers=forwarded, timeout=30)
        assert answer.status_code == (401 if number < 10 else 429)

    assert 1 <= int(answer.headers["Retry-After"]) <= 61
    assert service.log().count(f"wrong API key from {address} for GET /predictions/<request_id>") == 10
    assert "guess-" not in service.log()


def test_broken_file_lets_nobody_in(service: RunningService, file: Path):
    """The answer and the log say which line is wrong and why, without the key; the repaired file is used at once."""
    good = file.read_bytes()
    file.write_text("scoring predict\n")
    broken = predict(service, "key-of-scoring")
    file.write_bytes(good)

    assert broken.status_code == 503
    assert "API_KEYS_FILE has a line 1 with 2 parts" in broken.json()["detail"]
    assert "API_KEYS_FILE has a line 1 with 2 parts" in service.log()
    assert predict(service, "key-of-scoring").status_code == 200


def test_log_names_the_caller(service: RunningService):
    """On the fast path and through Flask; a caller without a key has no name."""
    predict(service, "key-of-scoring")

    wait_until(lambda: '"route":"/prediction","status":200' in service.log(), "the log", service)
    lines = [json.loads(line) for line in service.log().splitlines() if '"logger":"isowatch.request"' in line]
    callers = {(line["route"], line["status"], line.get("caller", "")) for line in lines}
    assert ("/prediction", 200, "scoring") in callers
    assert ("/feedback", 202, "anna") in callers
    assert ("/prediction", 401, "") in callers
