"""The recorder behind real workers: it counts every row, harms no request, comes back, and goes with the service."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.system.running_service import RunningService, children_of, command_of, start_service, wait_until

pytestmark = pytest.mark.system

ROW = [0.56, 0.23]

# As no customer spends.
FAR_ROW = [60.0, 60.0]

# What a connection holds at most, and the rows of the largest request here.
QUEUED_MESSAGES, MOST_ROWS = 2731, 50

# What waits in the recorder's memory at most, and what it writes in one transaction.
MOST_WAITING_ROWS, BATCH_ROWS = 50_000, 500


class _Load:
    """Asks for labels all the while, by every route, on several connections.

    With a pause after each answer, processors are left for whatever else is to come about under load.
    """

    def __init__(self, service: RunningService, pause_seconds: float = 0.0) -> None:
        self._service, self._pause_seconds = service, pause_seconds
        self.rows = self.requests = 0
        self.failed: list[str] = []
        self._counting, self._stopping = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(4)]

    def __enter__(self) -> _Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        choose = random.Random(number)
        with requests.Session() as session:
            session.trust_env = False
            while not self._stopping.wait(self._pause_seconds):
                path, body, rows = choose.choice(_ways_to_ask(self._service))
                try:
                    answer = session.post(self._service.address + path, json=body, timeout=30)
                    problem = "" if answer.ok else answer.text
                except requests.RequestException as error:
                    problem = str(error)
                with self._counting:
                    self.requests += 1
                    self.rows += 0 if problem else rows
                    if problem:
                        self.failed.append(problem)


def _ways_to_ask(service: RunningService) -> list[tuple[str, dict[str, Any], int]]:
    """Every route that scores rows: through the express lane and not."""
    tensor = {"name": "rows", "shape": [2, 2], "datatype": "FP32", "data": [*ROW, *ROW]}
    return [
        ("/prediction", {"feature_vector": ROW}, 1),
        ("/prediction?through=flask", {"feature_vector": ROW, "score": True}, 1),
        ("/predictions", {"feature_vectors": [ROW] * MOST_ROWS}, MOST_ROWS),
        ("/v2/models/isowatch/infer", {"inputs": [tensor]}, 2),
    ]


def _rows(service: RunningService, result: str) -> float:
    """Tell how many rows had this result."""
    return service.metric("recorder_rows_total", result=result)


def _wait_for_recorder(service: RunningService) -> None:
    """Wait until the recorder works and both workers are there."""
    wait_until(
        lambda: service.metric("app_workers") == 2 and service.metric("recorder_up") == 1, "the recorder", service
    )


def _wait_until_recorded(service: RunningService) -> None:
    """Wait until nothing is under way."""
    wait_until(lambda: _rows(service, "recorded") == _rows(service, "sent"), "all sent rows to be recorded", service)


def _wait_until_nothing_waits(service: RunningService) -> None:
    """Wait until the recorder has written and counted all rows that were sent, in sockets as in its memory.

    It then knows that no record comes for a label. What it told before may have been in the transaction of the last
    rows, which it counts afterwards; so it is asked once more. The gauge of waiting rows is a second old, and knows
    nothing of sockets.
    """
    for label in ({"request_id": "never-was", "is_inlier": 1}, {"request_id": "nor-was-this", "is_inlier": 1}):
        wait_until(
            lambda given=label: requests.post(f"{service.address}/feedback", json=given, timeout=30).status_code == 404,
            "all rows to be written",
            service,
        )


def _recorded_rows(folder: Path) -> tuple[int, int]:
    """Count what is in the database: records, and rows that were counted there."""
    with closing(sqlite3.connect(folder / "records" / "records.db")) as database:
        database.execute("BEGIN")  # both are of the same moment
        [[in_database]] = database.execute("SELECT count(*) FROM predictions")
        [[counted]] = database.execute("SELECT coalesce(sum(n_rows), 0) FROM hourly_counts")
        return in_database, counted


@contextmanager
def _service(folder: Path, models: Path, **environment: str) -> Iterator[RunningService]:
    """Start a service with two workers and its recorder."""
    with start_service(folder, models, **environment) as service:
        _wait_for_recorder(service)
        yield service


def test_every_row_of_every_route_is_recorded(tmp_path: Path, credits_models: Path):
    """Sent, and recorded; none is dropped or counted twice."""
    with _service(tmp_path, credits_models) as service:
        with _Load(service) as load:
            wait_until(lambda: load.requests > 200, "some load", service)
        _wait_until_recorded(service)

        assert load.failed == []
        assert _rows(service, "recorded") == load.rows == service.metric("predictions_scores_count")
        assert _rows(service, "dropped") == 0
        assert _recorded_rows(tmp_path) == (load.rows, load.rows)


def test_locked_database_holds_up_nobody(tmp_path: Path, credits_models: Path):
    """Predictions are answered, rows wait in memory, and all are written when the lock has gone."""
    with _service(tmp_path, credits_models) as service:
        wait_until(lambda: service.metric("records_up") == 1, "the database", service)
        with closing(sqlite3.connect(tmp_path / "records" / "records.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for _ in range(100):
                assert service.predict(ROW).elapsed.total_seconds() < 5
            wait_until(lambda: service.metric("records_write_failures_total", reason="locked") > 0, "trouble", service)
            assert (service.metric("records_up"), service.metric("recorder_up")) == (0, 1)
            assert _rows(service, "recorded") == 0
            other.execute("ROLLBACK")
        _wait_until_recorded(service)

        assert service.metric("records_up") == 1
        assert _recorded_rows(tmp_path) == (100, 100)


def test_service_without_records_keeps_nothing(tmp_path: Path, credits_models: Path):
    """Neither a file nor the library that would write it; rows count as dealt with."""
    with _service(tmp_path, credits_models, RECORD_PREDICTIONS="off") as service:
        service.predict(ROW)
        _wait_until_recorded(service)

        assert service.metric("records_enabled") == 0
        assert _rows(service, "recorded") == 1
        assert "sqlalchemy" not in Path(f"/proc/{service.recorder()}/maps").read_text()
    assert not (tmp_path / "records").exists()


def test_killed_recorder_fails_no_request_and_comes_back(tmp_path: Path, credits_models: Path):
    """Of the rows answered, each was sent or dropped; of those sent, at most what was queued or in memory is lost."""
    with _service(tmp_path, credits_models) as service:
        # Some thousand rows a second; a recorder that starts gives way to requests, which would else be all there is.
        with _Load(service, pause_seconds=0.005) as load:
            for killed in range(1, 4):
                victim = service.recorder()
                before = load.requests
                wait_until(lambda n=before: load.requests > n + 50, "some load", service)
                os.kill(victim, signal.SIGKILL)
                wait_until(lambda pid=victim: _has_another_recorder(service, pid), "another recorder", service)
                recorded = _rows(service, "recorded")
                wait_until(lambda n=recorded: _rows(service, "recorded") > n, "rows to be recorded again", service)
                assert service.log().count("exit status -9") == killed
        workers = len(service.workers())
        wait_until(lambda: service.metric("recorder_up") == 1, "the recorder", service)
        sent = _rows(service, "sent")
        service.predict(ROW)
        wait_until(lambda: _rows(service, "sent") > sent, "the last row to be sent", service)

        assert load.failed == []
        assert _rows(service, "sent") + _rows(service, "dropped") == load.rows + 1
        _wait_until_nothing_waits(service)
        lost = _rows(service, "sent") - _rows(service, "recorded")
        assert 0 <= lost <= 3 * (workers * QUEUED_MESSAGES * MOST_ROWS + MOST_WAITING_ROWS)
        in_database, counted = _recorded_rows(tmp_path)
        # What was committed is there, though it may not have been counted any more; and half a transaction is not.
        assert 0 <= in_database - _rows(service, "recorded") <= 3 * BATCH_ROWS
        assert counted == in_database


def test_stopped_recorder_is_seen_and_holds_up_nobody(tmp_path: Path, credits_models: Path):
    """Its queues fill, then rows are dropped; when it goes on, what was sent is recorded."""
    with _service(tmp_path, credits_models) as service:
        recorder = service.recorder()
        os.kill(recorder, signal.SIGSTOP)
        try:
            with _Load(service) as load:
                wait_until(lambda: _rows(service, "dropped") > 0, "rows to be dropped", service)
            wait_until(lambda: service.metric("recorder_up") == 0, "the silence to be seen", service)
            assert service.get("/drift").json()["recorder_up"] is False
        finally:
            os.kill(recorder, signal.SIGCONT)
        wait_until(lambda: service.metric("recorder_up") == 1, "the recorder to go on", service)
        _wait_until_recorded(service)

        assert load.failed == []
        assert _rows(service, "sent") + _rows(service, "dropped") == load.rows


def test_everything_goes_when_the_arbiter_is_killed(tmp_path: Path, credits_models: Path):
    """No process is left, though a worker hangs; and the drift detectors' state is written."""
    with _service(tmp_path, credits_models) as service:
        service.predict(ROW)
        wait_until(lambda: _rows(service, "recorded") == 1, "the row", service)
        wait_until(lambda: service.get("/drift").json()["rows_seen"] == 1, "the detectors", service)
        behind, workers = [service.supervisor(), service.recorder()], service.workers()
        service.session.close()
        os.kill(workers[0], signal.SIGSTOP)
        try:
            service.process.kill()
            service.process.wait()
            wait_until(lambda: not any(_is_alive(pid) for pid in behind), f"the end of {behind}")
        finally:
            os.kill(workers[0], signal.SIGCONT)
        wait_until(lambda: not any(_is_alive(pid) for pid in workers), f"the end of {workers}")

        assert json.loads((tmp_path / "state" / "drift-state.json").read_text())["rows_seen"] == 1


def test_everything_goes_in_order(tmp_path: Path, credits_models: Path):
    """SIGTERM, sent to all processes as systemd does: rows of the last requests are in the state."""
    with _service(tmp_path, credits_models) as service:
        processes = [service.supervisor(), service.recorder(), *service.workers()]
        for _ in range(5):
            service.predict(ROW)
        for pid in (service.supervisor(), service.recorder()):
            os.kill(pid, signal.SIGTERM)
        assert service.stop() == 0

        assert not any(_is_alive(pid) for pid in processes)
        assert json.loads((tmp_path / "state" / "drift-state.json").read_text())["rows_seen"] == 5
        assert "Warning" not in service.log()
        assert '"level": "error"' not in service.log()


def test_recorder_does_not_hold_the_port(tmp_path: Path, credits_models: Path):
    """Or a service that ended badly could not be started again."""
    with _service(tmp_path, credits_models) as service:
        port = int(service.address.rsplit(":", 1)[1])
        for pid in (service.supervisor(), service.recorder()):
            assert not _sockets(pid) & _listeners(port)
        assert _sockets(service.process.pid) & _listeners(port)


def test_supervisor_that_was_killed_comes_back_with_the_next_worker(tmp_path: Path, credits_models: Path):
    """Until then the recorder works on; afterwards there is one recorder, and workers find it."""
    with _service(tmp_path, credits_models) as service:
        supervisor, recorder = service.supervisor(), service.recorder()
        os.kill(supervisor, signal.SIGKILL)
        service.predict(ROW)
        wait_until(lambda: _rows(service, "recorded") == 1, "the row", service)
        service.session.close()
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "supervisor of the recorder has died" in service.log(), "the new supervisor", service)
        wait_until(lambda: not _is_alive(recorder), "the end of the old recorder", service)
        _wait_for_recorder(service)
        wait_until(lambda: service.predict(ROW).ok and _rows(service, "recorded") > 2, "rows recorded anew", service)

        assert service.supervisor() != supervisor
        assert not _zombies(service.process.pid)


def test_upgrade_has_a_recorder_of_its_own(tmp_path: Path, credits_models: Path):
    """SIGUSR2 starts a second arbiter beside the first; each has its recorder, and the old one's goes with it."""
    with _service(tmp_path, credits_models) as service:
        old = [service.supervisor(), service.recorder()]
        service.process.send_signal(signal.SIGUSR2)
        wait_until(lambda: _other_arbiter(service), "the new arbiter", service)
        new_arbiter = _other_arbiter(service)
        try:
            wait_until(lambda: _recorders_below(new_arbiter), "the new recorder", service)
            service.session.close()
            service.process.terminate()
            assert service.process.wait(60) == 0
            assert not any(_is_alive(pid) for pid in old)
            wait_until(lambda: service.get("/drift").ok and service.get("/metrics").ok, "the new service")
            wait_until(lambda: service.predict(ROW).ok and _rows(service, "recorded") > 0, "rows recorded anew")
        finally:
            processes = [new_arbiter, *children_of(new_arbiter)]
            os.kill(new_arbiter, signal.SIGTERM)
            wait_until(lambda: not any(_is_alive(pid) for pid in processes), "the end of the new service")


def test_two_services_do_not_meet(tmp_path: Path, credits_models: Path):
    """Each recorder gets the rows of its own workers, even if they share the folder for state."""
    with _service(tmp_path, credits_models) as one, _service(tmp_path, credits_models) as other:
        one.predict(ROW)
        _wait_until_recorded(one)

        assert (_rows(one, "recorded"), _rows(other, "recorded")) == (1, 0)
        assert "another service uses it" not in one.log()
        assert "another service uses it" in other.log()
        assert "several replicas need PostgreSQL" not in one.log()
        wait_until(lambda: "several replicas need PostgreSQL" in other.log(), "the advice", other)


def test_recorder_that_cannot_start_harms_nobody(tmp_path: Path, credits_models: Path):
    """It is tried again more and more slowly; predictions are answered, and the rows are counted."""
    library = tmp_path / "broken"
    library.mkdir()
    # A fake: only the recorder imports drift detectors, so only it cannot run.
    (library / "sitecustomize.py").write_text("import sys\nsys.modules['app.drift.monitor'] = None\n")
    with start_service(tmp_path, credits_models, PYTHONPATH=str(library)) as service:
        wait_until(lambda: "restarted in 2.0 s" in service.log(), "the third attempt", service)
        assert service.predict(ROW).ok
        wait_until(lambda: _rows(service, "sent") + _rows(service, "dropped") == 1, "the row to be counted", service)

        assert service.metric("recorder_up") == 0
        assert service.get("/drift").status_code == 503
        assert service.stop() == 0


def test_drift_is_told_and_outlives_the_service(tmp_path: Path, credits_models: Path):
    """Drifted traffic raises an alarm, then an event, then a state; a restart is no second event."""
    with _service(tmp_path, credits_models, DRIFT_ROWS_PER_SECOND="1000") as service:
        wait_until(lambda: _send_far_rows(service) and _is_active(service), "the drift to be confirmed", service)
        report = service.get("/drift").json()
        assert service.metric("drift_alarms_total", detector="mmd") >= 1
        assert service.metric("drift_events_total", detector="mmd") == 1
        assert report["detectors"]["mmd"]["state"] == "drift"
        assert report["detectors"]["mmd"]["last_event"]["row"] > 10
        assert service.stop() == 0

    with _service(tmp_path, credits_models, DRIFT_ROWS_PER_SECOND="1000") as service:
        wait_until(lambda: _is_active(service), "the state to be read", service)
        assert service.get("/drift").json()["rows_seen"] >= report["rows_seen"]
        _send_far_rows(service)
        _wait_until_recorded(service)
        assert service.metric("drift_events_total", detector="mmd") == 0


def test_recorder_follows_the_model(tmp_path: Path, credits_models: Path):
    """A model that goes live is watched from its first rows on."""
    models = tmp_path / "models"
    with start_service(tmp_path, models, until="/healthz") as service:
        wait_until(lambda: service.metric("recorder_up") == 1, "the recorder", service)
        assert service.get("/drift").json()["state"] == "no model"
        models.symlink_to(credits_models)
        wait_until(lambda: service.get("/drift").json()["state"] == "watching", "the model to be watched", service)
        wait_until(lambda: service.metric("model_ready") == 1, "every worker to have the model", service)
        service.predict(ROW)

        wait_until(lambda: service.get("/drift").json()["rows_seen"] == 1, "the row to be seen", service)


def test_folder_that_cannot_be_written_is_no_reason_to_end(tmp_path: Path, credits_models: Path):
    """As in a read-only container without a volume: state is in memory, and that is said."""
    (tmp_path / "file").touch()
    with _service(tmp_path, credits_models, STATE_DIR=str(tmp_path / "file" / "state")) as service:
        service.predict(ROW)
        _wait_until_recorded(service)
        wait_until(lambda: "drift detection is lost when the service ends" in service.log(), "the warning", service)

        assert service.stop() == 0


def _send_far_rows(service: RunningService) -> bool:
    """Send a batch as no customer spends."""
    answer = service.session.post(
        f"{service.address}/predictions", json={"feature_vectors": [FAR_ROW] * 100}, timeout=30
    )
    return answer.ok


def _is_active(service: RunningService) -> bool:
    """Tell whether a detector sees a drift that lasts."""
    return service.metric("drift_active", detector="mmd") == 1


def _has_another_recorder(service: RunningService, former: int) -> bool:
    """Tell whether another recorder has been started."""
    return bool(set(children_of(service.supervisor())) - {former})


def _other_arbiter(service: RunningService) -> int | None:
    """Find the arbiter that is to replace the running one: a child that has workers itself."""
    return next((pid for pid in service.workers() if _recorders_below(pid)), None)


def _recorders_below(pid: int) -> list[int]:
    """List the supervisors below an arbiter."""
    try:
        return [child for child in children_of(pid) if "app.recorder" in command_of(child)]
    except FileNotFoundError:
        return []


def _is_alive(pid: int) -> bool:
    """Tell whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _zombies(pid: int) -> list[int]:
    """List the children of a process that ended and were never asked how."""
    return [child for child in children_of(pid) if not _is_alive(child)]


def _sockets(pid: int) -> set[str]:
    """List the sockets that a process has open."""
    links = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return {link[len("socket:[") : -1] for link in links if link.startswith("socket:")}


def _listeners(port: int) -> set[str]:
    """List the sockets that are bound to a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
