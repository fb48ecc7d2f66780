"""A purge deletes everything before a time, and nothing else."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import func, select, text

from app.db import tables
from app.db.engine import upgrade_database
from app.model.version_log import name_operator
from app.records import retention, retention_clock
from app.records.__main__ import main
from app.records.events import read_events
from tests.records.example_records import (
    START,
    add_audit,
    add_hour,
    add_label,
    add_record,
    add_version,
    add_waiting_label,
    record_id_at,
)


@pytest.fixture
def filled(address: str, opened) -> str:
    """Ten records a minute apart, some with labels and audits; pending labels."""
    with opened(address).begin() as connection:
        add_version(connection, "v1", "mean", "sd")
        for minute in range(10):
            record_id = add_record(connection, 60 * minute, n_rows=1 + minute % 3)
            add_label(connection, record_id)
            add_audit(connection, record_id)
        add_label(connection, record_id_at(-999))
        add_waiting_label(connection, "old", START)
        add_waiting_label(connection, "new", START + 60 * 7)
        add_hour(connection, 20)
    return address


def purge(address: str, *options: str) -> int:
    """Run the command for everything before the record of the seventh minute."""
    return main(["purge", "--database", address, "--before", "2026-11-01T00:07", *options])


def left(engine) -> dict[str, int]:
    """Return how many rows each table has."""
    with engine.connect() as connection:
        return {
            name: connection.scalar(select(func.count()).select_from(table))
            for name, table in tables.METADATA.tables.items()
        }


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_older_records_are_deleted_with_labels_and_audits(filled: str, opened, monkeypatch, capsys, step: int):
    """In steps of any size; the counts stay, and there is an event."""
    monkeypatch.setattr(retention, "STEP_ROWS", step)

    assert purge(filled, "--yes") == 0

    assert capsys.readouterr().out == "deleted 13 rows, 8 labels, 1 pending label, 7 audits, 0 notes\n"
    numbers = left(opened(filled))
    assert numbers | {"predictions": 6, "labels": 3, "audits": 3, "waiting_labels": 1, "hourly_counts": 1} == numbers
    with opened(filled).connect() as connection:
        assert connection.scalar(select(func.min(tables.PREDICTIONS.c.record_id))) == record_id_at(60 * 7)
        [event] = read_events(connection)
    assert (event.who, event.what) == (name_operator(), "purge")
    assert event.after == "2026-11-01T00:07:00.000Z"
    assert event.note == "before 2026-11-01T00:07:00.000Z: 13 rows, 8 labels, 1 pending label, 7 audits, 0 notes"


def test_confirmation_is_required(filled: str, opened, monkeypatch, capsys):
    """Without --yes, a person must type yes, and sees how much will be deleted."""
    before = left(opened(filled))

    assert purge(filled) == 1
    assert "nothing was changed: pass --yes to run this without a terminal" in capsys.readouterr().err

    class Person:
        answer = "no\n"

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return self.answer

    monkeypatch.setattr("sys.stdin", Person())
    assert purge(filled) == 1
    assert "13 recorded rows before 2026-11-01T00:07:00.000Z will be deleted" in capsys.readouterr().out
    assert left(opened(filled)) == before

    monkeypatch.setattr(Person, "answer", "yes\n")
    assert purge(filled) == 0
    assert left(opened(filled))["predictions"] == 6


def test_space_is_given_back(sqlite: str, opened):
    """An SQLite file gets smaller."""
    upgrade_database(sqlite)
    with opened(sqlite).begin() as connection:
        add_record(connection, 0, n_rows=20_000)

    def pages():
        with opened(sqlite).connect() as connection:
            return connection.scalar(text("PRAGMA page_count"))

    before = pages()
    assert purge(sqlite, "--yes") == 0

    assert pages() < before / 4


@pytest.mark.parametrize("moment", ["yesterday", "", "7", "2026-13-01", "-1d"])
def test_an_invalid_time_is_refused(sqlite: str, capsys, moment: str):
    """With examples of valid ones."""
    with pytest.raises(SystemExit) as refused:
        main(["purge", "--database", sqlite, f"--before={moment}", "--yes"])

    assert refused.value.code == 2
    assert f"{moment!r} is not a time: pass 2026-11-01, 2026-11-01T12:30, or 7d, 12h" in capsys.readouterr().err


def test_a_clock_that_is_ahead_needs_force(filled: str, opened, monkeypatch, capsys):
    """An age is relative to a clock that may be wrong; a date is not. After --force, the recorder trusts the clock."""
    engine, days = opened(filled), 86_400.0
    with engine.begin() as connection:
        retention_clock.store(connection, START + 60 * 10)
    monkeypatch.setattr("time.time", lambda: START + 60 * 10 + 32 * days)
    ago = ["purge", "--database", filled, "--before", "30d", "--yes"]

    assert main(ago) == 1
    refusal = capsys.readouterr().err
    assert (
        "rows are that old only by this machine's clock, 2026-12-03T00:10:00.000Z, which is 32.0 days ahead" in refusal
    )
    assert "--force" in refusal
    assert purge(filled, "--yes") == 0
    assert left(engine)["predictions"] == 6

    assert main([*ago, "--force"]) == 0
    assert left(engine)["predictions"] == 0
    with engine.connect() as connection:
        assert retention_clock.read_stored(connection) == time.time()
