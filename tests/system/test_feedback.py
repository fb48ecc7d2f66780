"""An answer is recorded, a label finds it at once, and both are read back: through Gunicorn, recorder and database."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.system.running_service import REPOSITORY, RunningService, start_service, wait_until

pytestmark = pytest.mark.system

# An outlier, and an inlier, as only those are drawn for labelling.
ROW, USUAL_ROW = [0.56, 0.23], [-0.158, -0.1067]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service that draws every inlier for labelling."""
    folder = tmp_path_factory.mktemp("service")
    with start_service(folder, credits_models, AUDIT_SHARE="1") as running:
        # The recorder makes the database; until then nothing can be asked of it.
        wait_until(lambda: running.get("/audit/next").status_code == 200, "the database", running)
        yield running


def _label(service: RunningService, *labels: dict[str, object]) -> requests.Response:
    """Send labels."""
    return requests.post(f"{service.address}/feedback", json=list(labels), timeout=30)


def _read(service: RunningService, given_id: str) -> requests.Response:
    """Ask for a recorded answer."""
    return service.get(f"/predictions/{given_id}")


def _is_labelled(service: RunningService, given_id: str) -> bool:
    """Tell whether the first row of an answer is recorded with a label."""
    answer = _read(service, given_id)
    return answer.status_code == 200 and answer.json()["rows"][0]["label"] is not None


def test_label_that_follows_its_answer_at_once_is_taken(service: RunningService):
    """Whether the record is there already or only just to be written; it is counted once, and read back."""
    for n in range(5):
        answer = service.predict(ROW, score=True, confidence=True, segment="DE")
        record_id = answer.headers["X-Record-ID"]
        labelled = _label(service, {"request_id": record_id, "is_inlier": -1, "note": f"no. {n}"})
        assert labelled.status_code == 202, labelled.text
        # On a busy machine, the record may take longer than a label is waited for.
        assert labelled.json()["taken"] + labelled.json()["waiting"] == 1
        wait_until(lambda given=record_id: _is_labelled(service, given), f"the label of {record_id}", service)

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
        rows = requests.get(f"{service.address}/audit/next?n=100", timeout=30).json()["rows"]
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


def test_commands_of_the_page_work(tmp_path: Path, service: RunningService, require_program: Callable[[str], Path]):
    """Each in its turn, as somebody would type them."""
    require_program("curl")
    page = (REPOSITORY / "docs" / "feedback.md").read_text(encoding="utf-8")
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    script = f"set -eux\n{commands}".replace("http://127.0.0.1:8000", service.address)
    # The record may still be on its way when the second command comes, which is why a label can wait.
    run = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert run.returncode == 0, run.stderr
    assert '"unknown":0' in run.stdout
    assert '"result":"taken"' in run.stdout or '"result":"waiting"' in run.stdout
    assert re.fullmatch("[0-9a-f]{48}\n", (tmp_path / "feedback_keys").read_text())
