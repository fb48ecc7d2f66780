"""Trouble with the database affects nobody else, and recovery is automatic."""

from __future__ import annotations

import gc
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, func, select

from app.db.engine import upgrade_database
from app.db.ids import make_record_id
from app.db.revision import REVISION, REVISION_TABLE
from app.db.tables import HOURLY_COUNTS, MODEL_VERSIONS, PREDICTIONS, WRITERS
from app.db.url import DatabaseAddress
from app.db.writer_lock import WriterLock
from app.model.bundle import read_bundle
from app.recorder.row_queue import RowQueue
from app.records.writing import RecordBatch
from tests.records.running_writer import (
    Read,
    Start,
    changing,
    count_lines,
    file_of,
    wait_until,
)


def test_lock_of_another_process_delays_rows(
    sqlite: str, start_writer: Start, read: Read, caplog: pytest.LogCaptureFixture
):
    """Sending rows is not delayed, and all are written in the end."""
    recorder = start_writer(sqlite)
    wait_until(recorder.is_up)
    with closing(sqlite3.connect(file_of(sqlite), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        slowest = recorder.take(1500)
        wait_until(lambda: recorder.failures("locked") > 0)
        assert not recorder.is_up()
        assert recorder.recorded == 0
        recorder.writer.tick()
        assert recorder.metric("records_waiting_rows") == 1500
        other.execute("ROLLBACK")
    wait_until(lambda: recorder.recorded == 1500)

    assert slowest < 0.5
    assert recorder.is_up()
    assert count_lines(read, sqlite, PREDICTIONS) == 1500
    assert recorder.metric("records_given_up_rows_total") == 0
    assert caplog.text.count("records are not written and stay pending in memory") == 1


def test_full_disk_delays_rows(sqlite: str, start_writer: Start, read: Read):
    """Once there is room, all rows are written."""
    upgrade_database(sqlite)
    connections = []

    def limit(connection: sqlite3.Connection, _: object) -> None:
        n_pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {n_pages + 2}")
        connections.append(connection)

    event.listen(Engine, "connect", limit)
    try:
        recorder = start_writer(sqlite)
        recorder.take(1000)
        wait_until(lambda: recorder.failures("full") > 0)
        assert not recorder.is_up()
    finally:
        event.remove(Engine, "connect", limit)
    for connection in connections:
        connection.execute("PRAGMA max_page_count = 1000000")
    wait_until(lambda: recorder.recorded == 1000)

    assert count_lines(read, sqlite, PREDICTIONS) == 1000


def test_memory_is_bounded(
    sqlite: str, start_writer: Start, read: Read, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Rows beyond the limit are dropped, counted and logged while the database is down; the rest is written later."""
    monkeypatch.setattr(RowQueue.__init__, "__defaults__", (800,))
    recorder = start_writer(sqlite)
    wait_until(recorder.is_up)
    with closing(sqlite3.connect(file_of(sqlite), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        recorder.take(1000)
        assert recorder.metric("records_given_up_rows_total") == 200
        recorder.writer.tick()
        recorder.writer.tick()
        assert caplog.text.count("200 rows dropped, not recorded: too many were pending") == 1
        other.execute("ROLLBACK")
    wait_until(lambda: recorder.recorded == 800)

    assert count_lines(read, sqlite, PREDICTIONS) == 800
    [counted] = read(sqlite, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert list(counted.values()) == [800]


def test_newer_tables_are_reported_in_a_sentence(
    address: str, start_writer: Start, read: Read, caplog: pytest.LogCaptureFixture
):
    """Once; when the problem is fixed, pending rows are written."""
    with changing(address) as change:
        change(f"UPDATE {REVISION_TABLE} SET version_num = '9999'")
        recorder = start_writer(address)
        recorder.take(10)
        wait_until(lambda: recorder.failures("schema") > 1)
        assert not recorder.is_up()
        assert caplog.text.count("was written by a newer Isowatch (revision 9999") == 1
        change(f"UPDATE {REVISION_TABLE} SET version_num = '{REVISION}'")
    wait_until(lambda: recorder.recorded == 10)

    assert count_lines(read, address, PREDICTIONS) == 10


def test_folder_that_cannot_be_created_is_reported(tmp_path: Path, start_writer: Start, read: Read, caplog):
    """When it can be, the file is created and rows are written."""
    (tmp_path / "in the way").touch()
    address = f"sqlite:///{tmp_path}/in the way/records.db"
    recorder = start_writer(address)
    recorder.take(10)
    wait_until(lambda: recorder.failures("unreachable") > 1)
    assert "records are not written and stay pending in memory" in caplog.text
    (tmp_path / "in the way").unlink()
    wait_until(lambda: recorder.recorded == 10)

    assert count_lines(read, address, PREDICTIONS) == 10


def test_idle_recorder_backs_off_from_a_database_in_trouble(tmp_path: Path, start_writer: Start):
    """Without pending rows, it retries after growing pauses; otherwise it would use a whole processor."""
    (tmp_path / "in the way").touch()
    begun = time.monotonic()
    recorder = start_writer(f"sqlite:///{tmp_path}/in the way/records.db")
    wait_until(lambda: recorder.failures("unreachable") > 3)

    shortest_pause = 0.1
    assert recorder.failures("unreachable") <= 1 + (time.monotonic() - begun) / shortest_pause


@pytest.mark.parametrize("is_replaced", [False, True])
def test_file_that_is_moved_away_is_detected(
    is_replaced: bool, sqlite: str, tmp_path: Path, credits_models: Path, start_writer: Start, read: Read, caplog
):
    """The log says so; rows go to the new file, with their features, and not to a file without a name."""
    bundle = read_bundle(credits_models / "current")
    recorder = start_writer(sqlite, MAX_SEGMENTS="1")
    recorder.writer.follow(bundle)
    recorder.take(10, version=bundle.version, segment="de")
    wait_until(lambda: recorder.recorded == 10)
    for file in list(file_of(sqlite).parent.glob("records.db*")):
        if not file.name.endswith(".writer"):
            file.rename(tmp_path / file.name)
    if is_replaced:
        upgrade_database(sqlite)
    recorder.take(5, version=bundle.version, segment="at")
    wait_until(lambda: recorder.recorded == 15)

    assert [row["segment"] for row in read(sqlite, select(PREDICTIONS))] == ["at"] * 5
    assert [row["version"] for row in read(sqlite, select(MODEL_VERSIONS))] == [bundle.version]
    what = "was replaced by another file" if is_replaced else "was deleted or moved away"
    assert f"records.db {what} while it was in use" in caplog.text


# The driver leaves the socket to the garbage collector when a server that is just ending or starting refuses it.
@pytest.mark.filterwarnings("ignore:.*unclosed <socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")
def test_server_that_goes_down_comes_back(postgresql: str, postgresql_server, start_writer: Start, read: Read):
    """Rows are pending meanwhile; none is lost or counted twice."""
    recorder = start_writer(postgresql)
    recorder.take(100)
    wait_until(lambda: recorder.recorded == 100)
    postgresql_server.stop()
    try:
        recorder.take(300)
        wait_until(lambda: recorder.failures("unreachable") > 1)
        assert not recorder.is_up()
    finally:
        postgresql_server.start()
    wait_until(lambda: recorder.recorded == 400)

    gc.collect()  # here, where it is expected
    assert count_lines(read, postgresql, PREDICTIONS) == 400
    [counted] = read(postgresql, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert [int(number) for number in counted.values()] == [400]


def test_commit_without_an_answer_counts_nothing_twice(
    address: str, start_writer: Start, read: Read, monkeypatch: pytest.MonkeyPatch
):
    """The rows were committed, and that is detected, even for those that are only counted."""
    recorder = start_writer(address, RECORD_PREDICTIONS="0.001", AUDIT_SHARE="0")
    wait_until(recorder.is_up)
    engine = create_engine(address.replace("postgresql:", "postgresql+pg8000:"))
    dialect, driver = type(engine.dialect), engine.dialect.dbapi
    commit, insert = dialect.do_commit, RecordBatch.insert
    inserted: list[bool] = []

    def insert_and_note(self, connection, pace):
        insert(self, connection, pace)
        inserted.append(True)

    def commit_and_break(self, connection):
        commit(self, connection)
        if len(inserted) == 1:
            inserted.append(True)
            raise driver.OperationalError("the connection was lost")

    monkeypatch.setattr(RecordBatch, "insert", insert_and_note)
    monkeypatch.setattr(dialect, "do_commit", commit_and_break)
    recorder.take(1, 400)
    wait_until(lambda: recorder.recorded == 400)
    monkeypatch.undo()
    engine.dispose()

    assert len(inserted) == 2
    [counted] = read(address, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert [int(number) for number in counted.values()] == [400]
    assert count_lines(read, address, PREDICTIONS) == recorder.metric("records_kept_rows_total")


def test_row_that_cannot_be_stored_affects_no_other(
    address: str, start_writer: Start, read: Read, caplog: pytest.LogCaptureFixture
):
    """Only this one is dropped."""
    recorder = start_writer(address)
    recorder.take(20)
    twice = make_record_id()
    recorder.take(2, record_id=twice, request_id=twice)
    recorder.take(20)
    wait_until(lambda: recorder.recorded == 41)

    assert recorder.metric("records_given_up_rows_total") == 1
    assert f"1 row of record {twice} cannot be recorded" in caplog.text
    assert "-0." not in caplog.text  # nor is anything told of other rows
    assert count_lines(read, address, PREDICTIONS) == 41
    [counted] = read(address, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert [int(number) for number in counted.values()] == [41]


def test_second_writer_of_a_file_takes_over_when_the_first_has_ended(
    sqlite: str, start_writer: Start, read: Read, caplog: pytest.LogCaptureFixture
):
    """Until then it logs what several replicas need, and its rows are pending."""
    first = start_writer(sqlite)
    wait_until(first.is_up)
    second = start_writer(sqlite, name="second", drained_until=0.0)
    second.take(10)
    first.take(5)
    wait_until(lambda: second.failures("locked") > 1 and first.recorded == 5)
    assert "several replicas need PostgreSQL, named in DATABASE_URL" in caplog.text
    assert count_lines(read, sqlite, PREDICTIONS) == 5
    # A label of a row that waits must not be called unknown.
    behind = select(WRITERS.c.written_until).where(WRITERS.c.written_until < time.time() - 1000)
    assert len(read(sqlite, behind)) == 1
    first.writer.finish()
    wait_until(lambda: second.recorded == 10)

    assert count_lines(read, sqlite, PREDICTIONS) == 15
    lock = WriterLock(DatabaseAddress(sqlite))
    with pytest.raises(Exception, match="Another replica"):
        lock.acquire()
