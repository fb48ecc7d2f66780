"""An answer is recorded, a label is stored for it, and both are read back, through Gunicorn, recorder and database."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.system.running_service import REPOSITORY, RunningService, start_service, wait_until

pytestmark = pytest.mark.system

# An outlier, and an inlier: only inliers are sampled for the audit.
ROW, USUAL_ROW = [0.56, 0.23], [-0.158, -0.1067]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service that samples every inlier for the audit."""
    folder = tmp_path_factory.mktemp("service")
    with start_service(folder, credits_models, AUDIT_SHARE="1") as running:
        # The recorder creates the database; until then there are no records.
        wait_until(lambda: running.get("/audit/next").status_code == 200, "the database", running)
        yield running


def _label(service: RunningService, *labels: dict[str, object]) -> requests.Response:
    """Send labels."""
    return requests.post(f"{service.address}/feedback", json=list(labels), timeout=30)


def _read(service: RunningService, given_id: str) -> requests.Response:
    """Request a recorded answer."""
    return service.get(f"/predictions/{given_id}")


def _is_labelled(service: RunningService, given_id: str) -> bool:
    """Return whether the first row of an answer has a label."""
    answer = _read(service, given_id)
    return answer.status_code == 200 and answer.json()["rows"][0]["label"] is not None


def test_label_sent_right_after_the_answer_is_accepted(service: RunningService):
    """Whether the record is already written or not, the label is counted once and read back."""
    for n in range(5):
        answer = service.predict(ROW, score=True, confidence=True, segment="DE")
        record_id = answer.headers["X-Record-ID"]
        labelled = _label(service, {"request_id": record_id, "is_inlier": -1, "note": f"no. {n}"})
        assert labelled.status_code == 202, labelled.text
        # On a busy machine, the record may arrive after the time that a label is held for.
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
    """Single and multiple rows are recorded, with or without the fast path, under the caller's id and ours."""
    tensor = {"name": "rows", "shape": [2, 2], "datatype": "FP64", "data": [*ROW, 66.3, 53.2]}
    name = service.get("/model_information").json()["model"]["name"]
    sent = {
        "one": ("/prediction", {"feature_vector": ROW}),
        "many": ("/predictions", {"feature_vectors": [ROW, [66.3, 53.2]]}),
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


@pytest.mark.parametrize(
    "given",
    [
        "dGVzdA==",
        "ab/cd+ef//gh==",
        "/begins/and/ends/",
        "Root=1-67891233-abcdef012345678912345678",
        "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}",
        "%41?a=b#c&d",
        "\"'<b>\\,;=HYPERLINK(1)",
        "!" * 128,
    ],
)
@pytest.mark.parametrize("route", ["/prediction", "/predictions"])
def test_callers_id_is_kept_whatever_its_form(service: RunningService, route: str, given: str):
    """Any visible ASCII is an id, in the event loop and in Flask: it is answered, recorded, labelled and read back."""
    given = (route[-1] * 2 + given)[:128] if given[0] != "/" else f"/{route[-1]}{given}"  # unique
    body = {"/prediction": {"feature_vector": ROW}, "/predictions": {"feature_vectors": [ROW]}}[route]
    answer = service.session.post(service.address + route, json=body, headers={"X-Request-ID": given}, timeout=30)
    assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, given)
    assert "X-Request-ID-Refused" not in answer.headers

    wait_until(lambda: _read(service, quote(given, safe="")).status_code == 200, f"the record of {given}", service)
    assert _label(service, {"request_id": given, "is_inlier": 1}).json()["taken"] == 1
    recorded = _read(service, quote(given, safe="")).json()
    assert (recorded["request_id"], recorded["rows"][0]["label"]["is_inlier"]) == (given, 1)


@pytest.mark.parametrize("given", ["two words", "x" * 129, "\u00fcber"])
@pytest.mark.parametrize("route", ["/prediction", "/predictions"])
def test_caller_is_told_that_its_id_is_not_used(service: RunningService, route: str, given: str):
    """The answer says so in a header, and has an id that can be used."""
    body = {"/prediction": {"feature_vector": ROW}, "/predictions": {"feature_vectors": [ROW]}}[route]
    headers = {"X-Request-ID": given.encode()}
    answer = service.session.post(service.address + route, json=body, headers=headers, timeout=30)

    assert answer.status_code == 200
    assert answer.headers["X-Request-ID"] == answer.headers["X-Record-ID"]
    assert answer.headers["X-Request-ID-Refused"] == "expected 1 to 128 visible ASCII characters"


def test_label_of_an_unknown_answer_is_rejected(service: RunningService):
    """That is certain once the recorder has written all earlier rows."""
    assert _label(service, {"request_id": "never-was", "is_inlier": 1}).status_code == 404
    assert service.metric("feedback_refused_total", reason="unknown") == 1
    assert _read(service, "never-was").status_code == 404


def test_each_audit_row_is_returned_once(service: RunningService):
    """Concurrent requests to all workers return each row once; a label removes it from the queue."""
    service.session.post(f"{service.address}/predictions", json={"feature_vectors": [USUAL_ROW] * 300}, timeout=30)
    returned: list[tuple[str, int]] = []

    def take() -> None:
        rows = requests.post(f"{service.address}/audit/next", json={"n": 100}, timeout=30).json()["rows"]
        returned.extend((row["record_id"], row["row"]) for row in rows)

    def all_were_returned() -> bool:
        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(returned) >= 300

    wait_until(all_were_returned, "300 rows in the queue", service)
    assert len(returned) == len(set(returned))


def test_commands_of_the_page_work(tmp_path: Path, service: RunningService, require_program: Callable[[str], Path]):
    """All commands of docs/feedback.md and docs/access.md work, in order."""
    require_program("curl")
    page = "".join((REPOSITORY / "docs" / name).read_text(encoding="utf-8") for name in ("feedback.md", "access.md"))
    commands = "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    script = f"set -eux\n{commands}".replace("http://127.0.0.1:8000", service.address)
    # The record may not be written yet when the second command runs, so its label may be pending.
    run = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert run.returncode == 0, run.stderr
    assert '"unknown":0' in run.stdout
    assert '"result":"taken"' in run.stdout or '"result":"waiting"' in run.stdout
    assert re.fullmatch("fraud-desk labeller [0-9a-f]{48}\n", (tmp_path / "api_keys").read_text())
