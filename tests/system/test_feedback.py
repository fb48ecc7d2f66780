"""An answer is recorded, a label finds it at once, and both are read back: through Gunicorn, recorder and database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

# An outlier, and an inlier, as only those are drawn for labelling.
ROW, USUAL_ROW = [0.56, 0.23], [-0.158, -0.1067]

KEY = {"X-API-Key": "a-key-for-the-fraud-desk"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service that draws every inlier for labelling, and asks for a key."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "keys").write_text(KEY["X-API-Key"] + "\n")
    settings = {
        "DATABASE_URL": f"sqlite:///{folder}/records/records.db",
        "FEEDBACK_API_KEYS_FILE": str(folder / "keys"),
        "AUDIT_SHARE": "1",
    }
    with start_service(folder, credits_models, **settings) as running:
        # The recorder makes the database; until then nothing can be asked of it.
        wait_until(lambda: running.get("/audit/next", headers=KEY).status_code == 200, "the database", running)
        yield running


def _label(service: RunningService, *labels: dict[str, object]) -> requests.Response:
    """Send labels."""
    return requests.post(f"{service.address}/feedback", json=list(labels), headers=KEY, timeout=30)


def _read(service: RunningService, given_id: str) -> requests.Response:
    """Ask for a recorded answer."""
    return service.get(f"/predictions/{given_id}", headers=KEY)


def test_label_that_follows_its_answer_at_once_is_taken(service: RunningService):
    """Whether the record is there already or only just to be written; it is counted once, and read back."""
    for n in range(5):
        answer = service.predict(ROW, score=True, confidence=True, segment="DE")
        record_id = answer.headers["X-Record-ID"]
        labelled = _label(service, {"request_id": record_id, "is_inlier": -1, "note": f"no. {n}"})
        assert labelled.status_code == 202, labelled.text
        assert labelled.json()["taken"] == 1

        recorded = _read(service, record_id).json()
        assert recorded["segment"] == "DE"
        assert recorded["model_version"] == answer.headers["X-Model-Version"]
        [row] = recorded["rows"]
        assert row["features"] == {"mean": 0.56, "sd": 0.23}
        assert {name: row[name] for name in answer.json()} == answer.json()
        assert (row["label"]["is_inlier"], row["label"]["note"]) == (-1, f"no. {n}")
    wait_until(lambda: service.metric("feedback_total", label="outlier") == 5, "five labels in the metrics", service)
    assert service.metric("feedback_age_seconds_count") == 5


def test_answers_of_every_route_are_recorded_under_their_ids(service: RunningService):
    """One row or many, through Flask or below it, under the caller's id as under ours."""
    tensor = {"name": "rows", "shape": [2, 2], "datatype": "FP64", "data": [*ROW, 66.3, 57.7]}
    name = service.get("/model_information").json()["model"]["name"]
    sent = {
        "one": ("/prediction", {"feature_vector": ROW}),
        "many": ("/predictions", {"feature_vectors": [ROW, [66.3, 57.7]]}),
        "tensors": (f"/v2/models/{name}/infer", {"inputs": [tensor]}),
    }
    for request_id, (path, body) in sent.items():
        answer = service.session.post(
            service.address + path, json=body, headers={"X-Request-ID": request_id}, timeout=30
        )
        assert answer.status_code == 200
        wait_until(
            lambda given=request_id: _read(service, given).status_code == 200, f"the record of {request_id}", service
        )
        recorded = _read(service, request_id).json()
        assert recorded["record_id"] == answer.headers["X-Record-ID"]
        assert recorded == _read(service, answer.headers["X-Record-ID"]).json()
        assert [row["row"] for row in recorded["rows"]] == list(range(1 if request_id == "one" else 2))


def test_label_of_an_answer_that_never_was_is_unknown(service: RunningService):
    """It is known for sure as soon as the recorder has written what came before."""
    assert _label(service, {"request_id": "never-was", "is_inlier": 1}).status_code == 404
    assert service.metric("feedback_refused_total", reason="unknown") == 1
    assert _read(service, "never-was").status_code == 404


def test_audited_rows_are_handed_out_once(service: RunningService):
    """By all workers together, to callers who ask at the same time; a label takes a row out for good."""
    service.session.post(f"{service.address}/predictions", json={"feature_vectors": [USUAL_ROW] * 300}, timeout=30)
    handed: list[tuple[str, int]] = []

    def take() -> None:
        rows = requests.get(f"{service.address}/audit/next?n=100", headers=KEY, timeout=30).json()["rows"]
        handed.extend((row["record_id"], row["row"]) for row in rows)

    def all_were_handed_out() -> bool:
        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(handed) >= 300

    wait_until(all_were_handed_out, "300 rows in the queue", service)
    assert len(handed) == len(set(handed))


def test_nobody_gets_in_without_the_key(service: RunningService):
    """Not even from this host, once there are keys."""
    assert service.get("/audit/next").status_code == 401
    assert service.get("/predictions/any", headers={"X-API-Key": "another"}).status_code == 401
