"""If the database of records fails, its routes answer 503, and predictions do not wait for it."""

from __future__ import annotations

import dataclasses
import logging
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.api.records_access import RecordsAccess
from app.api.service import service_of
from app.errors import RecordsBusy, RecordsUnavailable
from app.settings import Settings
from tests.api.recorded_service import RecordedService, start_recorded_service
from tests.records.filled_tables import make_id, record

ID = make_id(1)

LABEL = {"request_id": ID, "is_inlier": 1}


def _request_all(service: RecordedService) -> list[tuple[int, str | None]]:
    """Request every route of records, and return the status and ``Retry-After`` of each answer."""
    client = service.client
    answers = [client.post("/feedback", json=LABEL), client.get(f"/predictions/{ID}"), client.post("/audit/next")]
    assert {answer.mimetype for answer in answers} <= {"application/problem+json", "application/json"}
    return [(answer.status_code, answer.headers.get("Retry-After")) for answer in answers]


def test_records_that_are_off_are_reported(tmp_path: Path):
    """Though there may be a database from before."""
    with start_recorded_service(tmp_path, record_predictions=0.0) as service:
        assert _request_all(service) == [(503, None)] * 3
        assert "RECORD_PREDICTIONS" in service.client.get("/audit/next").json["detail"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RecordedService]:
    """A service with one record."""
    with start_recorded_service(tmp_path) as started:
        record(started.engine, ID)
        yield started


def test_database_that_cannot_be_opened_is_logged_once(service: RecordedService, tmp_path: Path, caplog):
    """The answer is 503 with a time to retry; only the log has the reason."""
    service.engine.dispose()
    for file in tmp_path.glob("records.db*"):
        file.unlink()
    with caplog.at_level(logging.WARNING):
        assert _request_all(service) == [(503, "1")] * 3
    assert len([record for record in caplog.records if "records cannot be used" in record.message]) == 1
    assert str(tmp_path) not in service.client.get("/audit/next").text


def test_slow_failure_to_open_is_not_retried_for_a_while(monkeypatch: pytest.MonkeyPatch):
    """A slow attempt blocks a thread; a failure that is quick may be tried again at once."""
    tries = []

    def fail(address: str) -> None:
        tries.append(address)
        now[0] += seconds
        raise RecordsUnavailable("no route to host")

    monkeypatch.setattr("app.db.engine.open_database", fail)
    now, seconds = [1000.0], 0.0
    monkeypatch.setattr("app.api.records_access.time.monotonic", lambda: now[0])
    access = RecordsAccess(Settings())

    def try_to_use() -> int:
        with pytest.raises(RecordsBusy), access.use():
            pass
        return len(tries)

    assert [try_to_use(), try_to_use()] == [1, 2]
    seconds = 10.0
    assert [try_to_use(), try_to_use()] == [3, 3]
    now[0] += 5.1
    assert try_to_use() == 4


def test_time_to_load_the_library_does_not_count_as_a_slow_failure(tmp_path: Path):
    """A label in the first second finds the database as soon as the recorder has created it."""
    code = f"""
import sys, time
from app.errors import RecordsBusy
from app.api.records_access import RecordsAccess
from app.settings import Settings
assert "sqlalchemy" not in sys.modules
clock, slow = time.monotonic, 0.0
class Loading:  # takes ten seconds more
    def find_spec(self, name, path, target=None):
        if name == "app.db.engine":
            time.monotonic = lambda: clock() + 10
sys.meta_path.insert(0, Loading())
access = RecordsAccess(Settings(database_url="sqlite:///{tmp_path}/records.db"))
try:
    with access.use():
        sys.exit("there is none yet")
except RecordsBusy:
    pass
assert time.monotonic() > clock() + 9
assert access._retry_at < time.monotonic() + 1, "the backoff is long"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_locked_database_is_busy(service: RecordedService, tmp_path: Path):
    """Writers are told to retry, readers need not wait, and afterwards everything works."""
    assert service.client.get(f"/predictions/{ID}").status_code == 200
    with closing(sqlite3.connect(tmp_path / "records.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert _request_all(service) == [(503, "1"), (200, None), (503, "1")]
        other.execute("ROLLBACK")
    assert _request_all(service) == [(202, None), (200, None), (200, None)]
    assert service.value("feedback_refused_total", reason="unavailable") == 1


def test_database_that_breaks_is_busy(service: RecordedService, tmp_path: Path):
    """A database without its tables is unavailable, which is not a bug in the routes."""
    assert _request_all(service)[1] == (200, None)
    with closing(sqlite3.connect(tmp_path / "records.db")) as other:
        for table in ("predictions", "audits"):
            other.execute(f"DROP TABLE {table}")
    assert _request_all(service) == [(503, "1")] * 3


def test_one_thread_is_kept_for_predictions(tmp_path: Path, service: RecordedService, monkeypatch: pytest.MonkeyPatch):
    """Of two threads, one may use the database and wait; the other is told to retry."""
    monkeypatch.setattr("app.api.records_access._SLOT_SECONDS", 0.01)
    access = RecordsAccess(dataclasses.replace(service_of(service.app).settings, worker_threads=2))
    refused = []

    def use() -> None:
        try:
            with access.use():
                pass
        except RecordsBusy:
            refused.append(True)

    with access.use(), access.waiting_slot() as first, access.waiting_slot() as second:
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    with access.waiting_slot() as again:
        assert (first, second, again, refused) == (True, False, True, [True])


def test_single_thread_never_waits(tmp_path: Path):
    """The only thread must stay available for predictions."""
    access = RecordsAccess(Settings(worker_threads=1))
    with access.waiting_slot() as may_wait:
        assert not may_wait


def test_database_is_opened_when_it_is_first_used(tmp_path: Path, service: RecordedService):
    """It is opened on first use and closed with the service."""
    access = service_of(service.app).records
    assert access._engine is None
    with access.use() as engine:
        assert access._engine is engine
    access.close()
    assert access._engine is None
