"""Every row that is handed over is recorded, or counted as given up; no trouble of the database is anybody else's."""

from __future__ import annotations

import gc
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, Table, create_engine, event, func, select, text

from app.feedback_metrics import FeedbackMetrics
from app.model.bundle import read_bundle
from app.recorder.handed_rows import HandedRows
from app.recorder.record_writer import RecordWriter
from app.recorder.row_queue import RowQueue
from app.recorder.start_record_writer import start_record_writer
from app.recorder_metrics import RecorderMetrics
from app.records.database import upgrade_database
from app.records.database_address import DatabaseAddress
from app.records.failure_reasons import REASONS
from app.records.feedback import take_labels, wait_for_records
from app.records.labels import GivenLabel
from app.records.record_batch import RecordBatch
from app.records.record_id import make_record_id
from app.records.schema_revision import REVISION_TABLE
from app.records.tables import AUDITS, HOURLY_COUNTS, MODEL_VERSIONS, PREDICTIONS, WRITERS
from app.records.writer_lock import WriterLock
from app.records_metrics import RecordsMetrics
from app.settings import Settings
from tests.recorder.made_rows import make_scored

WAIT_SECONDS = 30


class _Recorder:
    """A recorder's writer without a process, and the database that it writes into."""

    def __init__(
        self, address: str, folder: Path, name: str = "one", emptied_until: float = float("inf"), **settings: str
    ) -> None:
        self.address, self.registry = address, CollectorRegistry()
        self.labels = FeedbackMetrics(self.registry)
        self.writer: RecordWriter = start_record_writer(
            Settings.from_environ({"DATABASE_URL": address, "MODEL_DIR": str(folder)} | settings),
            folder / name,
            lambda: min(emptied_until, time.time()),
            RecorderMetrics(self.registry, ["mmd"], "cvm"),
            RecordsMetrics(self.registry, REASONS, is_enabled=True),
            self.labels,
        )

    def take(self, n_requests: int, n_rows: int = 1, **fields: str) -> float:
        """Take rows, and tell how long the slowest took."""
        slowest = 0.0
        for number in range(n_requests):
            record_id = make_record_id()
            scored = make_scored(n_rows, seed=number)
            given = {"request_id": record_id, "version": "v1", "record_id": record_id} | fields
            handed = HandedRows(time.time(), first_row=0, scored=scored, **given)
            begun = time.perf_counter()
            self.writer.take(handed)
            slowest = max(slowest, time.perf_counter() - begun)
        return slowest

    def metric(self, name: str, **labels: str) -> float:
        """Read a metric."""
        return self.registry.get_sample_value(name, labels)

    @property
    def recorded(self) -> float:
        """How many rows are dealt with."""
        return self.metric("recorder_rows_total", result="recorded")

    def failures(self, reason: str) -> float:
        """How many attempts failed for a reason."""
        return self.metric("records_write_failures_total", reason=reason)

    def is_up(self) -> bool:
        """Whether the last use of the database succeeded."""
        return self.metric("records_up") == 1


_Start = Callable[..., _Recorder]
_Read = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., _Recorder]]:
    """Start writers, and end them with the test."""
    running: list[_Recorder] = []

    def start_one(address: str, **settings: Any) -> _Recorder:
        running.append(_Recorder(address, tmp_path, **settings))
        return running[-1]

    yield start_one
    for recorder in running:
        recorder.writer.finish()


@pytest.fixture
def read(opened: Callable[[str], Engine]) -> _Read:
    """Ask a database."""
    engines: dict[str, Engine] = {}

    def read_one(address: str, statement):
        if address not in engines:
            engines[address] = opened(address)
        with engines[address].connect() as connection:
            return connection.execute(statement).mappings().all()

    return read_one


def _wait_until(condition: Callable[[], bool]) -> None:
    """Ask again and again."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _count(read: _Read, address: str, table: Table) -> int:
    """Count the lines of a table."""
    n_lines: int = read(address, select(func.count().label("n")).select_from(table))[0]["n"]
    return n_lines


def _file(address: str) -> Path:
    return DatabaseAddress(address).file


def test_every_row_is_recorded_as_it_was_answered(address: str, start: _Start, read: _Read):
    """Row by row, with its features, under the id of its answer and that of its caller."""
    recorder = start(address)
    scored = make_scored(700, n_features=3)
    handed = HandedRows(7200.5, "caller's", "v1", 0, scored, "ab" * 16, "de")
    recorder.writer.take(handed)
    recorder.take(1, 2)
    _wait_until(lambda: recorder.recorded == 702)

    own_id, callers_id = PREDICTIONS.c.request_id.is_(None), PREDICTIONS.c.request_id == "caller's"
    rows = read(address, select(PREDICTIONS).where(callers_id).order_by(PREDICTIONS.c.row))
    assert [row["row"] for row in rows] == list(range(700))
    assert {(row["record_id"], row["answered_at"], row["model_version"], row["segment"]) for row in rows} == {
        ("ab" * 16, 7200.5, "v1", "de")
    }
    features = np.frombuffer(b"".join(row["features"] for row in rows), "<f4").reshape(700, 3)
    np.testing.assert_array_equal(features, scored.rows)
    for column, field in (("score", "scores"), ("is_inlier", "labels"), ("confidence", "confidences")):
        assert [row[column] for row in rows] == getattr(scored, field).tolist()
    assert len(read(address, select(PREDICTIONS).where(own_id))) == 2
    n_outliers = int((scored.labels == -1).sum())
    counted = read(address, select(HOURLY_COUNTS).where(HOURLY_COUNTS.c.segment == "de"))
    assert [tuple(row.values()) for row in counted] == [(7200, "v1", "de", 700, n_outliers)]
    assert recorder.metric("records_kept_rows_total") == 702
    assert recorder.is_up()


def test_share_is_recorded_and_all_are_counted(sqlite: str, start: _Start, read: _Read):
    """Outliers are all there, without features if nobody wants them; drawn inliers are among the recorded."""
    settings = {"RECORD_PREDICTIONS": "0.1", "AUDIT_SHARE": "0.05", "RECORD_FEATURES": "false"}
    recorder = start(sqlite, **settings)
    recorder.take(10, 1000)
    _wait_until(lambda: recorder.recorded == 10_000)

    [counted] = read(sqlite, select(func.sum(HOURLY_COUNTS.c.n_rows), func.sum(HOURLY_COUNTS.c.n_outliers)))
    n_rows, n_outliers = counted.values()
    rows = read(sqlite, select(PREDICTIONS))
    inliers = {(row["record_id"], row["row"]) for row in rows if row["is_inlier"] == 1}
    audits = {(row["record_id"], row["row"]) for row in read(sqlite, select(AUDITS))}
    assert (n_rows, n_outliers) == (10_000, len(rows) - len(inliers))
    assert 300 < len(inliers) < 800
    assert audits < inliers
    assert {(row["is_inlier"], row["recorded_share"]) for row in rows} == {(1, 0.1), (-1, 1.0)}
    assert {row["features"] for row in rows} == {None}


def test_message_of_an_older_worker_gets_an_id(sqlite: str, start: _Start, read: _Read):
    """It made none; all rows of the message are one record."""
    recorder = start(sqlite)
    recorder.take(2, 600, record_id="", request_id="theirs")
    _wait_until(lambda: recorder.recorded == 1200)

    rows = read(sqlite, select(PREDICTIONS))
    assert len({row["record_id"] for row in rows}) == 2
    assert {row["request_id"] for row in rows} == {"theirs"}


def test_features_of_every_version_are_named(address: str, credits_models: Path, start: _Start, read: _Read):
    """Of the model that went live, and of one that rows name before that; once each."""
    bundle = read_bundle(credits_models / "current")
    early = start(address, MODEL_DIR=str(credits_models))
    early.take(1, version=bundle.version)
    _wait_until(lambda: early.recorded == 1)
    names = '["' + '", "'.join(bundle.features.names) + '"]'
    expected = [(bundle.version, bundle.name, names)]
    columns = (MODEL_VERSIONS.c.version, MODEL_VERSIONS.c.name, MODEL_VERSIONS.c.feature_names)
    assert [tuple(row.values()) for row in read(address, select(*columns))] == expected

    early.writer.finish()
    live = start(address, MODEL_DIR="gone")
    live.writer.follow(bundle)
    live.take(1, version="unknown")
    _wait_until(lambda: live.recorded == 1)
    assert [tuple(row.values()) for row in read(address, select(*columns))] == expected


def test_lock_of_another_process_is_waited_for(
    sqlite: str, start: _Start, read: _Read, caplog: pytest.LogCaptureFixture
):
    """Nobody who hands rows over waits meanwhile; then all are there."""
    recorder = start(sqlite)
    _wait_until(recorder.is_up)
    with closing(sqlite3.connect(_file(sqlite), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        slowest = recorder.take(1500)
        _wait_until(lambda: recorder.failures("locked") > 0)
        assert not recorder.is_up()
        assert recorder.recorded == 0
        recorder.writer.tick()
        assert recorder.metric("records_waiting_rows") == 1500
        other.execute("ROLLBACK")
    _wait_until(lambda: recorder.recorded == 1500)

    assert slowest < 0.5
    assert recorder.is_up()
    assert _count(read, sqlite, PREDICTIONS) == 1500
    assert recorder.metric("records_given_up_rows_total") == 0
    assert caplog.text.count("records are not written, and wait in memory") == 1


def test_full_disk_is_waited_for(sqlite: str, start: _Start, read: _Read):
    """Room is made, and all rows are there."""
    upgrade_database(sqlite)
    connections = []

    def limit(connection: sqlite3.Connection, _: object) -> None:
        n_pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {n_pages + 2}")
        connections.append(connection)

    event.listen(Engine, "connect", limit)
    try:
        recorder = start(sqlite)
        recorder.take(1000)
        _wait_until(lambda: recorder.failures("full") > 0)
        assert not recorder.is_up()
    finally:
        event.remove(Engine, "connect", limit)
    for connection in connections:
        connection.execute("PRAGMA max_page_count = 1000000")
    _wait_until(lambda: recorder.recorded == 1000)

    assert _count(read, sqlite, PREDICTIONS) == 1000


def test_memory_is_bounded(sqlite: str, start: _Start, read: _Read, monkeypatch: pytest.MonkeyPatch):
    """What finds no room while the database is away is given up and counted; what waits is written later."""
    monkeypatch.setattr(RowQueue.__init__, "__defaults__", (800,))
    recorder = start(sqlite)
    _wait_until(recorder.is_up)
    with closing(sqlite3.connect(_file(sqlite), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        recorder.take(1000)
        assert recorder.metric("records_given_up_rows_total") == 200
        other.execute("ROLLBACK")
    _wait_until(lambda: recorder.recorded == 800)

    assert _count(read, sqlite, PREDICTIONS) == 800
    [counted] = read(sqlite, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert list(counted.values()) == [800]


def test_newer_tables_are_refused_in_a_sentence(
    address: str, start: _Start, read: _Read, caplog: pytest.LogCaptureFixture
):
    """Once; where they are mended, rows that waited are written."""
    with _writable(address) as change:
        change(f"UPDATE {REVISION_TABLE} SET version_num = '9999'")
        recorder = start(address)
        recorder.take(10)
        _wait_until(lambda: recorder.failures("schema") > 1)
        assert not recorder.is_up()
        assert caplog.text.count("was written by a newer Isowatch (revision 9999") == 1
        change(f"UPDATE {REVISION_TABLE} SET version_num = '0001'")
    _wait_until(lambda: recorder.recorded == 10)

    assert _count(read, address, PREDICTIONS) == 10


def test_folder_that_cannot_be_made_is_told_of(tmp_path: Path, start: _Start, read: _Read, caplog):
    """Once it can be, the file is made and rows are written."""
    (tmp_path / "in the way").touch()
    address = f"sqlite:///{tmp_path}/in the way/records.db"
    recorder = start(address)
    recorder.take(10)
    _wait_until(lambda: recorder.failures("unreachable") > 1)
    assert "records are not written, and wait in memory" in caplog.text
    (tmp_path / "in the way").unlink()
    _wait_until(lambda: recorder.recorded == 10)

    assert _count(read, address, PREDICTIONS) == 10


def test_idle_recorder_leaves_a_database_in_trouble_alone(tmp_path: Path, start: _Start):
    """Where no row waits, it tries after a pause that becomes longer; else it would take a processor for itself."""
    (tmp_path / "in the way").touch()
    begun = time.monotonic()
    recorder = start(f"sqlite:///{tmp_path}/in the way/records.db")
    _wait_until(lambda: recorder.failures("unreachable") > 3)

    shortest_pause = 0.1
    assert recorder.failures("unreachable") <= 1 + (time.monotonic() - begun) / shortest_pause


@pytest.mark.parametrize("is_replaced", [False, True])
def test_file_that_is_moved_away_is_missed(
    is_replaced: bool, sqlite: str, tmp_path: Path, credits_models: Path, start: _Start, read: _Read
):
    """Rows go where they can be found, with what is to be known of them, not into a file without a name."""
    bundle = read_bundle(credits_models / "current")
    recorder = start(sqlite, MAX_SEGMENTS="1")
    recorder.writer.follow(bundle)
    recorder.take(10, version=bundle.version, segment="de")
    _wait_until(lambda: recorder.recorded == 10)
    for file in list(_file(sqlite).parent.glob("records.db*")):
        if not file.name.endswith(".writer"):
            file.rename(tmp_path / file.name)
    if is_replaced:
        upgrade_database(sqlite)
    recorder.take(5, version=bundle.version, segment="at")
    _wait_until(lambda: recorder.recorded == 15)

    assert [row["segment"] for row in read(sqlite, select(PREDICTIONS))] == ["at"] * 5
    assert [row["version"] for row in read(sqlite, select(MODEL_VERSIONS))] == [bundle.version]


# The driver leaves the socket to the garbage collector when a server that is just ending or starting refuses it.
@pytest.mark.filterwarnings("ignore:.*unclosed <socket:pytest.PytestUnraisableExceptionWarning")
def test_server_that_goes_away_comes_back(postgresql: str, postgresql_server, start: _Start, read: _Read):
    """Rows wait meanwhile; none is lost or counted twice."""
    recorder = start(postgresql)
    recorder.take(100)
    _wait_until(lambda: recorder.recorded == 100)
    postgresql_server.stop()
    try:
        recorder.take(300)
        _wait_until(lambda: recorder.failures("unreachable") > 1)
        assert not recorder.is_up()
    finally:
        postgresql_server.start()
    _wait_until(lambda: recorder.recorded == 400)

    gc.collect()  # here, where it is expected
    assert _count(read, postgresql, PREDICTIONS) == 400
    [counted] = read(postgresql, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert [int(number) for number in counted.values()] == [400]


def test_lost_answer_to_a_commit_counts_nothing_twice(
    address: str, start: _Start, read: _Read, monkeypatch: pytest.MonkeyPatch
):
    """The rows are there, and are found to be; also those that are only counted."""
    recorder = start(address, RECORD_PREDICTIONS="0.001", AUDIT_SHARE="0")
    _wait_until(recorder.is_up)
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
    _wait_until(lambda: recorder.recorded == 400)
    monkeypatch.undo()
    engine.dispose()

    assert len(inserted) == 2
    [counted] = read(address, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert [int(number) for number in counted.values()] == [400]
    assert _count(read, address, PREDICTIONS) == recorder.metric("records_kept_rows_total")


def test_row_that_cannot_be_stored_takes_no_other_with_it(
    address: str, start: _Start, read: _Read, caplog: pytest.LogCaptureFixture
):
    """It alone is given up, and counted nowhere else."""
    recorder = start(address)
    recorder.take(20)
    twice = make_record_id()
    recorder.take(2, record_id=twice, request_id=twice)
    recorder.take(20)
    _wait_until(lambda: recorder.recorded == 41)

    assert recorder.metric("records_given_up_rows_total") == 1
    assert f"1 rows of record {twice} cannot be recorded" in caplog.text
    assert "-0." not in caplog.text  # nor is anything told of other rows
    assert _count(read, address, PREDICTIONS) == 41
    [counted] = read(address, select(func.sum(HOURLY_COUNTS.c.n_rows)))
    assert [int(number) for number in counted.values()] == [41]


def test_second_writer_of_a_file_takes_over_when_the_first_has_gone(
    sqlite: str, start: _Start, read: _Read, caplog: pytest.LogCaptureFixture
):
    """Until then it says what several replicas need, and its rows wait."""
    first = start(sqlite)
    _wait_until(first.is_up)
    second = start(sqlite, name="second", emptied_until=0.0)
    second.take(10)
    first.take(5)
    _wait_until(lambda: second.failures("locked") > 1 and first.recorded == 5)
    assert "several replicas need PostgreSQL, named in DATABASE_URL" in caplog.text
    assert _count(read, sqlite, PREDICTIONS) == 5
    # A label of a row that waits must not be called unknown.
    behind = select(WRITERS.c.written_until).where(WRITERS.c.written_until < time.time() - 1000)
    assert len(read(sqlite, behind)) == 1
    first.writer.finish()
    _wait_until(lambda: second.recorded == 10)

    assert _count(read, sqlite, PREDICTIONS) == 15
    lock = WriterLock(DatabaseAddress(sqlite))
    with pytest.raises(Exception, match="Another replica"):
        lock.acquire()


def test_end_of_the_service_writes_what_waits(address: str, start: _Start, read: _Read):
    """And notes that nobody needs to wait for this recorder."""
    recorder = start(address)
    recorder.take(2000)
    recorder.writer.finish()

    assert recorder.recorded == 2000
    assert _count(read, address, PREDICTIONS) == 2000
    [progress] = read(address, select(WRITERS))
    assert progress["written_until"] > time.time() - WAIT_SECONDS
    assert progress["stopped_at"] is not None


def test_end_of_the_service_does_not_wait_for_a_database(
    sqlite: str, start: _Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """What is lost is counted and told."""
    monkeypatch.setattr("app.recorder.record_writer._ENDING_SECONDS", 0.2)
    recorder = start(sqlite)
    _wait_until(recorder.is_up)
    with closing(sqlite3.connect(_file(sqlite), isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        recorder.take(700)
        recorder.writer.finish()

        assert recorder.metric("records_given_up_rows_total") == 700
        assert "700 rows are not recorded: the service ended" in caplog.text
        other.execute("ROLLBACK")


def test_label_is_told_apart_from_a_guess(address: str, start: _Start, read: _Read, opened: Callable[[str], Engine]):
    """Given at once, a label of a row is taken, while one of nothing is soon called unknown."""
    recorder = start(address)
    _wait_until(recorder.is_up)
    known = make_record_id()
    recorder.take(1, record_id=known, request_id=known)
    now, engine = time.time(), opened(address)
    labels = [GivenLabel(known, 0, -1, "", "", now), GivenLabel("never", 0, -1, "", "", now)]
    given = take_labels(engine, labels)
    # On a busy machine the recorder may be faster than the label.
    assert given.outcomes[0].result in ("waiting", "taken")
    assert given.outcomes[1].result == "waiting"
    outcomes = wait_for_records(lambda: nullcontext(engine), labels, given, may_wait=True)

    assert [outcome.result for outcome in outcomes] == ["taken", "unknown"]


def test_old_records_are_purged_while_new_ones_come(sqlite: str, start: _Start, read: _Read, monkeypatch):
    """And what the database holds is told."""
    monkeypatch.setattr("app.recorder.record_store._LOOK_SECONDS", 0.05)
    upgrade_database(sqlite)
    recorder = start(sqlite, RECORD_RETENTION_DAYS="1")
    recorder.take(1, 1200, record_id="0" * 32, request_id="old")
    recorder.take(30)
    _wait_until(lambda: recorder.metric("records_purged_rows_total") == 1200)
    _wait_until(lambda: recorder.metric("records_oldest_timestamp_seconds") > time.time() - WAIT_SECONDS)

    assert _count(read, sqlite, PREDICTIONS) == 30
    assert recorder.metric("records_database_bytes") > 10_000


class _writable:  # noqa: N801 - used as a function
    """Change a database behind the writer's back."""

    def __init__(self, address: str) -> None:
        self._engine = create_engine(address.replace("postgresql:", "postgresql+pg8000:"))

    def __enter__(self) -> Callable[[str], None]:
        def change(statement: str) -> None:
            with self._engine.begin() as connection:
                connection.execute(text(statement))

        return change

    def __exit__(self, *error: object) -> None:
        self._engine.dispose()
