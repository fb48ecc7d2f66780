"""Expired records are deleted with everything about them, and no others."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, Table, func, insert, select, text

from app.db.engine import upgrade_database, write_transaction
from app.db.ids import first_id_at
from app.db.sqlite_maintenance import give_back_space
from app.db.tables import AUDIT_ROUNDS, AUDITS, HOURLY_COUNTS, LABELS, MINUTE_COUNTS, PENDING_LABELS, PREDICTIONS
from app.records import retention_clock
from app.records.events import read_events
from app.records.retention import STEP_ROWS, Retention
from tests.records.made_records import make_prediction
from tests.records.running_writer import Start, wait_until

DAY = 86_400.0


@pytest.fixture
def engine(address: str, opened: Callable[[str], Engine]) -> Engine:
    """An empty database."""
    return opened(address)


def _count(engine: Engine, table: Table) -> int:
    with engine.connect() as connection:
        n_lines: int = connection.scalar(select(func.count()).select_from(table))
    return n_lines


def _record(engine: Engine, age_days: float, n_requests: int, rows_each: int = 1) -> None:
    """Record requests of an age; the first row of each is labelled and drawn."""
    begun = time.time() - age_days * DAY
    ids = [f"{first_id_at(begun)[:12]}{number:020x}" for number in range(n_requests)]
    predictions = [make_prediction(record_id, row) for record_id in ids for row in range(rows_each)]
    label = {"row": 0, "is_inlier": 1, "source": "", "note": "", "given_at": begun, "replaced_at": None}
    audit = {"row": 0, "probability": 0.1, "position": 0.5, "handed_at": None}
    with engine.begin() as connection:
        connection.execute(insert(PREDICTIONS), predictions)
        connection.execute(insert(LABELS), [{"record_id": record_id} | label for record_id in ids])
        connection.execute(insert(AUDITS), [{"record_id": record_id} | audit for record_id in ids])
        connection.execute(
            insert(HOURLY_COUNTS).values(hour=int(begun), model_version="v", segment="", n_rows=1, n_outliers=0)
        )


def _purge(engine: Engine, days: int) -> int:
    with write_transaction(engine) as connection:
        return Retention(days).purge_step(connection)


def test_younger_records_stay(engine: Engine):
    """Labels and audits are deleted with their record; counts stay."""
    _record(engine, 30.01, 5)
    _record(engine, 29.99, 7)

    assert _purge(engine, 30) == 5
    assert [_count(engine, table) for table in (PREDICTIONS, LABELS, AUDITS, HOURLY_COUNTS)] == [7, 7, 7, 2]
    assert _purge(engine, 30) == 0


def test_step_is_small(engine: Engine):
    """However much there is to purge, rows are not delayed for long; the oldest are deleted first."""
    _record(engine, 41, 2)
    _record(engine, 40, STEP_ROWS + 10)

    assert _purge(engine, 30) == STEP_ROWS
    assert _count(engine, LABELS) == _count(engine, AUDITS) == 12
    assert _purge(engine, 30) == 12


def test_request_larger_than_a_step_is_deleted_at_once(engine: Engine):
    """It has one id; without this, no step would make progress."""
    _record(engine, 40, 2, rows_each=STEP_ROWS + 5)

    assert [_purge(engine, 30) for _ in range(3)] == [STEP_ROWS + 5, STEP_ROWS + 5, 0]


def test_each_day_of_purging_is_one_event(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """For any number of steps, restarts and replicas; a day without deletions has none."""
    noon = datetime(2026, 3, 31, 12, tzinfo=UTC).timestamp()
    now = [noon]
    monkeypatch.setattr("time.time", lambda: now[0])
    assert _purge(engine, 30) == 0
    _record(engine, 40, 1)
    _record(engine, 30.01, 1)
    assert [_purge(engine, 35), _purge(engine, 30)] == [1, 1]
    _record(engine, 29.5, 1)
    now[0] += DAY
    with engine.begin() as connection:
        retention_clock.store(connection, now[0])  # as a recorder does that runs all day
    assert _purge(engine, 30) == 1

    with engine.connect() as connection:
        events = [(event.at, event.what, event.before, event.after) for event in read_events(connection)]
        first = next(read_events(connection))
    assert events == [(noon - DAY / 2, "purge", "", "2026-02-24"), (noon + DAY / 2, "purge", "", "2026-03-02")]
    assert (first.who, first.note) == (
        f"RECORD_RETENTION_DAYS=35 of {socket.gethostname()}",
        "all records before 2026-02-24",
    )


def test_file_shrinks_after_a_large_purge(sqlite: str, opened: Callable[[str], Engine]):
    """Pages that the next rows will not need are given back in steps."""
    upgrade_database(sqlite)
    engine = opened(sqlite)
    _record(engine, 40, 20, rows_each=1000)

    def pages() -> int:
        with engine.connect() as connection:
            n_pages: int = connection.scalar(text("PRAGMA page_count"))
        return n_pages

    full = pages()
    while _purge(engine, 30):
        pass
    assert pages() == full
    with engine.connect() as connection:
        assert give_back_space(connection)
    assert full - pages() == pytest.approx(256, abs=2)
    with engine.connect() as connection:
        while give_back_space(connection):
            pass
    assert pages() < full / 2


class Clocks:
    """The clock of the machine, which may be set, and the kernel's count of seconds, which may not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.running = time.time(), 1000.0
        monkeypatch.setattr("time.time", lambda: self.wall)
        monkeypatch.setattr("time.clock_gettime", lambda clock: self.running)

    def pass_by(self, seconds: float) -> None:
        """Move the clock forward."""
        self.wall += seconds
        self.running += seconds


def test_a_clock_that_is_set_ahead_purges_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog):
    """Nor does a recorder that starts meanwhile; a log line names the way out. A clock that is right purges again."""
    clocks, retention = Clocks(monkeypatch), Retention(30)

    def purge(retention: Retention) -> int:
        with write_transaction(engine) as connection:
            return retention.purge_step(connection)

    _record(engine, 29.99, 7)
    assert purge(retention) == 0
    clocks.wall += 32 * DAY
    for _ in range(20):
        clocks.pass_by(1)
        assert purge(retention) == purge(Retention(30)) == 0
    assert [record.message.count("purge --before 30d --force") for record in caplog.records if "32.0" in record.message]

    clocks.wall -= 32 * DAY
    clocks.pass_by(0.02 * DAY)
    assert purge(retention) == 7


def test_retention_catches_up_after_days_without_a_service(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """Twice as fast as time passes: what expires within five days is gone after two and a half."""
    clocks = Clocks(monkeypatch)
    _record(engine, 25, 7)
    assert _purge(engine, 30) == 0
    clocks.pass_by(10 * DAY)
    retention = Retention(30)
    left = []
    for _ in range(6):
        with write_transaction(engine) as connection:
            retention.purge_step(connection)
        left.append(_count(engine, PREDICTIONS))
        clocks.pass_by(DAY)

    assert left == [7] * 3 + [0] * 3


def test_pending_labels_survive_a_clock_that_is_set_ahead(
    address: str, start_writer: Start, opened: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch
):
    """They are dropped an hour later, not an hour of that clock later."""
    engine, real = opened(address), time.time
    with engine.begin() as connection:
        retention_clock.store(connection, real())
        values = {"request_id": "r", "row": 0, "is_inlier": 1, "source": "", "note": "", "given_at": real()}
        connection.execute(insert(PENDING_LABELS).values(values))
    monkeypatch.setattr("time.time", lambda: real() + 32 * DAY)
    recorder = start_writer(address)
    wait_until(lambda: recorder.metric("feedback_waiting_labels") == 1)
    recorder.writer.finish()

    assert _count(engine, PENDING_LABELS) == 1


def test_hand_outs_before_the_oldest_record_are_deleted(engine: Engine):
    """They say nothing about later rows; later hand-outs are needed for the probabilities of the rows that stay."""
    _record(engine, 40, 1)
    _record(engine, 5, 1)
    now = time.time()
    with engine.begin() as connection:
        connection.execute(
            insert(AUDIT_ROUNDS),
            [{"at": now - days * DAY, "is_inlier": 1, "reach": 0.5} for days in (41, 4)],
        )
    before = _count(engine, AUDIT_ROUNDS)

    assert _purge(engine, 30) == 1

    assert _count(engine, AUDIT_ROUNDS) == before - 1


def test_old_minutes_are_deleted(engine: Engine):
    """Counts by the minute go with their records, those by the hour stay."""
    minutes = [int(time.time() - age * DAY) // 60 * 60 for age in (40, 31, 29)]
    with engine.begin() as connection:
        connection.execute(insert(MINUTE_COUNTS), [{"minute": each, "n_rows": 1, "n_outliers": 0} for each in minutes])
    _record(engine, 29, 1)
    assert _purge(engine, 30) == 0
    with engine.connect() as connection:
        assert connection.scalars(select(MINUTE_COUNTS.c.minute)).all() == minutes[2:]
