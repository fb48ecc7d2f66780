"""Forgotten data are gone: from every table and from the files, even while the service writes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import String, cast, func, insert, select

from app.db import tables
from app.db.engine import upgrade_database
from app.db.tables import MINUTE_COUNTS
from app.db.url import DatabaseAddress
from app.records.__main__ import main
from app.records.alarms import Remark, add_note
from app.records.commands import forget as forget_command
from app.records.events import read_events
from app.records.lookup import RecordKey
from tests.records.example_records import (
    START,
    add_audit,
    add_label,
    add_record,
    add_version,
    add_waiting_label,
    record_id_at,
)

ROOT = Path(__file__).resolve().parents[3]

SECRET, NOTE = "customer-4711-order-0815", "called about a stolen card, born in 1970"


@pytest.fixture
def filled(address: str, opened) -> str:
    """Two records of one request id, with labels and audits, between others."""
    with opened(address).begin() as connection:
        add_version(connection, "v1", "mean", "sd")
        for minute in range(6):
            record_id = add_record(connection, 60 * minute, 2, request_id=SECRET if minute in (2, 4) else None)
            add_label(connection, record_id, note=NOTE if minute in (2, 4) else "of another")
            add_label(connection, record_id, is_inlier=1, note="before", replaced_at=START)
            add_audit(connection, record_id, row=1)
        for name in (SECRET, record_id_at(60 * 4), "another"):
            add_waiting_label(connection, name)
    return address


def forget(address: str, given_id: str, *options: str) -> int:
    """Run the command."""
    return main(["forget", "--database", address, given_id, *(options or ("--yes",))])


def count(engine, table, **equal):
    """Count rows of a table."""
    with engine.connect() as connection:
        return count_with(connection, table, **equal)


def count_with(connection, table, **equal):
    """Count rows as a connection sees them."""
    return connection.scalar(select(func.count()).select_from(table).filter_by(**equal))


def everything(engine) -> str:
    """All texts of all tables."""
    with engine.connect() as connection:
        return "\n".join(
            str(row)
            for table in tables.METADATA.tables.values()
            for row in connection.execute(
                select(*(cast(column, String) for column in table.c if column.name != "features"))
            )
        )


def test_all_records_of_a_request_id_are_deleted(filled: str, opened, capsys):
    """Not only the first; with labels and their history, pending labels and audits; others stay."""
    assert forget(filled, SECRET) == 0

    digest = hashlib.sha256(SECRET.encode()).hexdigest()[:16]
    assert capsys.readouterr().out == (
        "deleted 4 rows, 4 labels, 2 pending labels, 2 audits, 0 notes, of 2 records; "
        f"the event names sha256:{digest}\n"
    )
    engine = opened(filled)
    said = everything(engine)
    for gone in (SECRET, NOTE, record_id_at(60 * 2), record_id_at(60 * 4)):
        assert gone not in said
    for table, number in ((tables.PREDICTIONS, 8), (tables.LABELS, 8), (tables.AUDITS, 4), (tables.PENDING_LABELS, 1)):
        assert count(engine, table) == number, table.name
    with engine.connect() as connection:
        [event] = read_events(connection)
    assert (event.what, event.before) == ("forget", f"sha256:{digest}")
    assert event.note == "2 records: 4 rows, 4 labels, 2 pending labels, 2 audits, 0 notes"


def test_a_record_id_names_one_record(filled: str, opened):
    """The other record of the same request id stays."""
    assert forget(filled, record_id_at(60 * 4)) == 0

    engine = opened(filled)
    assert count(engine, tables.PREDICTIONS, request_id=SECRET) == 2
    assert count(engine, tables.PREDICTIONS, record_id=record_id_at(60 * 4)) == 0
    assert count(engine, tables.PENDING_LABELS) == 2


def test_a_frequent_id_is_forgotten_in_steps(filled: str, opened, monkeypatch):
    """However many records it has."""
    monkeypatch.setattr(forget_command, "STEP_RECORDS", 1)

    assert forget(filled, SECRET) == 0

    assert count(opened(filled), tables.PREDICTIONS, request_id=SECRET) == 0
    assert count(opened(filled), tables.EVENTS) == 1


def test_a_pending_label_is_deleted(filled: str, opened):
    """Even if there is nothing else."""
    assert forget(filled, "another") == 0
    assert count(opened(filled), tables.PENDING_LABELS, request_id="another") == 0


@pytest.mark.parametrize("given_id", ["customer-4711", "%", "", record_id_at(61)])
def test_an_unknown_id_is_reported(filled: str, opened, capsys, given_id: str):
    """With exit status 1, and without an event; a part of an id is not an id."""
    before = everything(opened(filled))

    assert forget(filled, given_id) == 1

    assert f"records: nothing is recorded about {given_id}" in capsys.readouterr().err
    assert everything(opened(filled)) == before


def test_confirmation_is_required(filled: str, opened):
    """Without --yes, there must be a terminal."""
    assert forget(filled, SECRET, "--database", filled) == 1
    assert count(opened(filled), tables.PREDICTIONS, request_id=SECRET) == 4


WRITER = """
import sys
from sqlalchemy import insert
from app.db.engine import open_database
from app.db.tables import SEGMENTS

engine = open_database(sys.argv[1])
for number in range(1_000_000):
    with engine.begin() as connection:
        connection.execute(insert(SEGMENTS).values(name=str(number), first_seen_at=0.0))
    if number % 10 == 0:
        print(number, flush=True)
"""


def test_nothing_is_left_in_the_write_ahead_log(sqlite: str, opened):
    """Which SQLite would keep as long as a process has the file open."""
    upgrade_database(sqlite)
    engine = opened(sqlite)
    with engine.begin() as connection:
        add_record(connection, 0, request_id=SECRET)
    log = DatabaseAddress(sqlite).file.with_name("records.db-wal")
    assert SECRET.encode() in log.read_bytes()

    assert forget(sqlite, SECRET) == 0

    assert log.read_bytes() == b""


def test_a_log_that_cannot_be_emptied_is_reported(sqlite: str, opened, monkeypatch, capsys):
    """While another process reads all the time; running it again later is enough."""
    monkeypatch.setattr("app.db.sqlite_maintenance._CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("app.records.commands.options.LOCK_SECONDS", 0.05)
    upgrade_database(sqlite)
    engine = opened(sqlite)
    with engine.begin() as connection:
        add_record(connection, 0, request_id=SECRET)
    with engine.connect() as reader:
        reader.exec_driver_sql("BEGIN")
        assert count_with(reader, tables.PREDICTIONS) == 1

        assert forget(sqlite, SECRET) == 1
        assert "the write-ahead log could not be emptied" in capsys.readouterr().err

    assert forget(sqlite, SECRET) == 1
    assert "nothing is recorded about" in capsys.readouterr().err
    assert DatabaseAddress(sqlite).file.with_name("records.db-wal").read_bytes() == b""


def test_nothing_is_left_in_the_files_while_the_service_writes(sqlite: str, opened):
    """Neither in free pages nor in the write-ahead log; the writer never fails."""
    upgrade_database(sqlite)
    with opened(sqlite).begin() as connection:
        for minute in range(50):
            record_id = add_record(
                connection, 60 * minute, 20, request_id=SECRET if minute == 20 else f"other-{minute}"
            )
            add_label(connection, record_id, note=NOTE if minute == 20 else "of another")
    folder = DatabaseAddress(sqlite).file.parent

    def found(text: str) -> bool:
        return any(text.encode() in file.read_bytes() for file in folder.iterdir())

    assert found(SECRET)
    assert found(NOTE)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, sqlite], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        writer.stdout.readline()
        done = subprocess.run(
            [sys.executable, "-m", "app.records", "forget", SECRET, "--yes"],
            cwd=ROOT,
            env={"DATABASE_URL": sqlite},
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, "")
        for gone in (SECRET, NOTE, record_id_at(60 * 20)):
            assert not found(gone)
        assert found("other-21")
        writer.stdout.readline()
        assert writer.poll() is None
    finally:
        writer.kill()
        writer.communicate()


def test_notes_and_minutes_of_a_record_are_deleted(address: str, opened, capsys):
    """The counts by the minute would show when a single request came; those of others stay."""
    with opened(address).begin() as connection:
        for seconds in (0, 30):
            record_id = add_record(connection, seconds, 2, is_inlier=-1)
        add_note(connection, RecordKey(record_id, 0), Remark(0, True, NOTE, START, None))
        for minute, n_rows in ((0, 4), (60, 2)):
            line = {"minute": int(START) + minute, "n_rows": n_rows, "n_outliers": n_rows}
            connection.execute(insert(MINUTE_COUNTS).values(line))
        add_record(connection, 70, 2, is_inlier=-1)

    assert forget(address, record_id) == 0
    assert ", 1 note, of 1 record;" in capsys.readouterr().out
    assert forget(address, record_id_at(70)) == 0
    engine = opened(address)
    assert NOTE not in everything(engine)
    with engine.connect() as connection:
        assert connection.execute(select(MINUTE_COUNTS)).all() == [(int(START), 2, 2)]
