"""The recorder with real workers: it stores every row and affects no request."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.system.recorder_load import (
    ROW,
    Load,
    count_rows,
    start_service_with_recorder,
    wait_until_recorded,
)
from tests.system.running_service import RunningService, children_of, start_service, wait_until

pytestmark = pytest.mark.system

# A clear outlier.
FAR_ROW = [60.0, 60.0]

# Maximum number of rows in one transaction.
BATCH_ROWS = 500


def _wait_until_all_written(service: RunningService) -> None:
    """Wait until the recorder has written and counted all rows that were sent, including those in sockets.

    Only then does it report a label's record as unknown. The first report may come from the transaction of the last
    rows, which are counted afterwards, so request it twice. The gauge of pending rows does not help: it is up to a
    second old and does not include sockets.
    """
    for label in ({"request_id": "never-was", "is_inlier": 1}, {"request_id": "nor-was-this", "is_inlier": 1}):
        wait_until(
            lambda given=label: requests.post(f"{service.address}/feedback", json=given, timeout=30).status_code == 404,
            "all rows to be written",
            service,
        )


def _recorded_rows(folder: Path) -> tuple[int, int]:
    """Return the number of records in the database, and the sum of its hourly counts."""
    with closing(sqlite3.connect(folder / "records" / "records.db")) as database:
        database.execute("BEGIN")  # read both in one snapshot
        [[in_database]] = database.execute("SELECT count(*) FROM predictions")
        [[counted]] = database.execute("SELECT coalesce(sum(n_rows), 0) FROM hourly_counts")
        return in_database, counted


def test_every_row_of_every_route_is_recorded(tmp_path: Path, credits_models: Path):
    """Every row is sent and recorded; none is dropped or counted twice."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        with Load(service) as load:
            wait_until(lambda: load.requests > 200, "some load", service)
        wait_until_recorded(service)

        assert load.failed == []
        assert count_rows(service, "recorded") == load.rows == service.metric("predictions_scores_count")
        assert count_rows(service, "dropped") == 0
        assert _recorded_rows(tmp_path) == (load.rows, load.rows)


def test_alarm_is_recorded_with_its_explanation(tmp_path: Path, credits_models: Path):
    """Nobody asked; the record has what the answer would have had, and metrics show what drives alarms."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        answer = service.predict(FAR_ROW)
        asked = service.session.post(
            f"{service.address}/prediction", json={"feature_vector": FAR_ROW, "explain": True}, timeout=30
        ).json()
        wait_until_recorded(service)
        [row] = service.get(f"/predictions/{answer.headers['X-Record-ID']}").json()["rows"]

        assert row["unfamiliar"] == asked.pop("unfamiliar")
        assert row["explanation"] == {name: value for name, value in asked.items() if name != "is_inlier"}
        assert sum(row["explanation"]["contributions"].values()) > 0
        assert service.metric("alarm_explanations_total", result="explained") == 2
        for name, contribution in row["explanation"]["contributions"].items():
            shown = service.metric("alarm_contribution_total", feature_name=name)
            assert shown == pytest.approx(2 * max(0, contribution))


def test_locked_database_does_not_delay_predictions(tmp_path: Path, credits_models: Path):
    """Predictions are answered, rows are pending in memory, and all are written once the lock is released."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        wait_until(lambda: service.metric("records_up") == 1, "the database", service)
        with closing(sqlite3.connect(tmp_path / "records" / "records.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            for _ in range(100):
                assert service.predict(ROW).elapsed.total_seconds() < 5
            wait_until(lambda: service.metric("records_write_failures_total", reason="locked") > 0, "trouble", service)
            assert (service.metric("records_up"), service.metric("recorder_up")) == (0, 1)
            assert count_rows(service, "recorded") == 0
            other.execute("ROLLBACK")
        wait_until_recorded(service)

        assert service.metric("records_up") == 1
        assert _recorded_rows(tmp_path) == (100, 100)


def test_service_without_records_stores_nothing(tmp_path: Path, credits_models: Path):
    """There is no database, SQLAlchemy is not loaded, and rows count as recorded."""
    with start_service_with_recorder(tmp_path, credits_models, RECORD_PREDICTIONS="off") as service:
        service.predict(ROW)
        wait_until_recorded(service)

        assert service.metric("records_enabled") == 0
        assert count_rows(service, "recorded") == 1
        assert "sqlalchemy" not in Path(f"/proc/{service.recorder()}/maps").read_text()
    assert not (tmp_path / "records").exists()


def test_killed_recorder_affects_no_request_and_is_restarted(tmp_path: Path, credits_models: Path, is_long: bool):
    """Each answered row was sent or dropped, and each sent one is recorded and counted once, after several kills."""
    n_kills = 3 if is_long else 1
    with start_service_with_recorder(tmp_path, credits_models) as service:
        # A starting recorder has low priority and needs some CPU time to get going.
        with Load(service, pause_seconds=0.05) as load:
            for killed in range(1, n_kills + 1):
                victim = service.recorder()
                before = load.requests
                wait_until(lambda n=before: load.requests > n + 50, "some load", service)
                os.kill(victim, signal.SIGKILL)
                wait_until(lambda pid=victim: _has_another_recorder(service, pid), "another recorder", service)
                recorded = count_rows(service, "recorded")
                wait_until(lambda n=recorded: count_rows(service, "recorded") > n, "rows to be recorded again", service)
                assert service.log().count("exit status -9") == killed
        wait_until(lambda: service.metric("recorder_up") == 1, "the recorder", service)
        sent = count_rows(service, "sent")
        service.predict(ROW)
        wait_until(lambda: count_rows(service, "sent") > sent, "the last row to be sent", service)

        assert load.failed == []
        assert count_rows(service, "sent") + count_rows(service, "dropped") == load.rows + 1
        _wait_until_all_written(service)
        wait_until(
            lambda: _recorded_rows(tmp_path)[0] >= count_rows(service, "sent"), "all rows to be recorded", service
        )
        assert _recorded_rows(tmp_path) == (count_rows(service, "sent"),) * 2
        # A batch that is committed just before the kill may not be counted.
        assert 0 <= count_rows(service, "sent") - count_rows(service, "recorded") <= n_kills * BATCH_ROWS


@pytest.mark.long
def test_stopped_recorder_is_detected_and_delays_nobody(tmp_path: Path, credits_models: Path):
    """Its queues fill up, then rows are dropped; when it continues, the sent rows are recorded."""
    with start_service_with_recorder(tmp_path, credits_models) as service:
        recorder, n_far = service.recorder(), 0
        os.kill(recorder, signal.SIGSTOP)
        try:
            with Load(service) as load:
                # Each worker keeps 25,000 rows, and its socket may hold more.
                while not count_rows(service, "dropped"):
                    assert _send_far_rows(service, 10_000)
                    n_far += 10_000
            wait_until(lambda: service.metric("recorder_up") == 0, "the recorder to be reported as down", service)
            assert service.get("/drift").json()["recorder_up"] is False
        finally:
            os.kill(recorder, signal.SIGCONT)
        wait_until(lambda: service.metric("recorder_up") == 1, "the recorder to continue", service)
        # Together, that may be more than the recorder holds.
        wait_until(
            lambda: (
                count_rows(service, "recorded") + service.metric("records_given_up_rows_total")
                == count_rows(service, "sent")
            ),
            "all sent rows to be recorded or dropped",
            service,
        )

        assert load.failed == []
        assert count_rows(service, "sent") + count_rows(service, "dropped") == load.rows + n_far


def test_drift_is_reported_and_survives_a_restart(tmp_path: Path, credits_models: Path):
    """Drifted rows cause a drift signal, then an event, then a state; a restart does not cause a second event."""
    with start_service_with_recorder(tmp_path, credits_models, DRIFT_ROWS_PER_SECOND="1000") as service:
        wait_until(lambda: _send_far_rows(service) and _is_active(service), "the drift to be confirmed", service)
        report = service.get("/drift").json()
        assert service.metric("drift_alarms_total", detector="mmd") >= 1
        assert service.metric("drift_events_total", detector="mmd") == 1
        assert report["detectors"]["mmd"]["state"] == "drift"
        assert report["detectors"]["mmd"]["last_event"]["row"] > 10
        assert service.stop() == 0

    with start_service_with_recorder(tmp_path, credits_models, DRIFT_ROWS_PER_SECOND="1000") as service:
        wait_until(lambda: _is_active(service), "the state to be read", service)
        assert service.get("/drift").json()["rows_seen"] >= report["rows_seen"]
        _send_far_rows(service)
        wait_until_recorded(service)
        assert service.metric("drift_events_total", detector="mmd") == 0


@pytest.mark.long
def test_recorder_follows_the_model(tmp_path: Path, credits_models: Path):
    """Drift detection starts with the first row of a model that goes live."""
    models = tmp_path / "models"
    with start_service(tmp_path, models, until="/healthz") as service:
        wait_until(lambda: service.metric("recorder_up") == 1, "the recorder", service)
        assert service.get("/drift").json()["state"] == "no model"
        models.symlink_to(credits_models)
        wait_until(lambda: service.get("/drift").json()["state"] == "watching", "the detectors to start", service)
        wait_until(lambda: service.metric("model_ready") == 1, "every worker to have the model", service)
        service.predict(ROW)

        wait_until(lambda: service.get("/drift").json()["rows_seen"] == 1, "the row to be processed", service)


@pytest.mark.long
def test_read_only_state_folder_is_tolerated(tmp_path: Path, credits_models: Path):
    """As in a read-only container without a volume, the state is kept in memory, with a warning."""
    (tmp_path / "file").touch()
    with start_service_with_recorder(tmp_path, credits_models, STATE_DIR=str(tmp_path / "file" / "state")) as service:
        service.predict(ROW)
        wait_until_recorded(service)
        wait_until(lambda: "drift detection is lost when the service ends" in service.log(), "the warning", service)

        assert service.stop() == 0


def _send_far_rows(service: RunningService, n_rows: int = 100) -> bool:
    """Send a batch of clear outliers."""
    answer = service.session.post(
        f"{service.address}/predictions", json={"feature_vectors": [FAR_ROW] * n_rows}, timeout=30
    )
    return answer.ok


def _is_active(service: RunningService) -> bool:
    """Return whether a drift is active."""
    return service.metric("drift_active", detector="mmd") == 1


def _has_another_recorder(service: RunningService, former: int) -> bool:
    """Return whether another recorder has been started."""
    return bool(set(children_of(service.supervisor())) - {former})
