"""An SQLite database stays small, even with readers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, text

from app.db import sqlite_maintenance
from app.db.engine import upgrade_database
from app.db.ids import make_record_id
from app.db.sqlite_maintenance import shorten_log
from app.db.tables import PREDICTIONS
from app.db.url import DatabaseAddress
from tests.records.made_records import make_prediction


@pytest.fixture
def engine(sqlite: str, opened: Callable[[str], Engine], monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A database whose write-ahead log counts as large with some hundred rows."""
    monkeypatch.setattr(sqlite_maintenance, "MAX_LOG_BYTES", 100_000)
    monkeypatch.setattr("app.db.engine.MAX_LOG_BYTES", 100_000)
    upgrade_database(sqlite)
    return opened(sqlite)


def _log(sqlite: str) -> Path:
    return Path(f"{DatabaseAddress(sqlite).file}-wal")


def _write(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(PREDICTIONS), [make_prediction(make_record_id()) for _ in range(1000)])


def test_log_that_readers_let_grow_is_truncated(engine: Engine, sqlite: str):
    """While there is always a reader, it does not restart by itself; an active reader is no error."""
    with engine.connect() as reader, engine.connect() as recorder:
        reader.execute(text("BEGIN"))
        reader.execute(text("SELECT count(*) FROM predictions"))
        for _ in range(5):
            _write(engine)
        shorten_log(recorder)
        assert _log(sqlite).stat().st_size > 5 * 100_000
        reader.rollback()
        shorten_log(recorder)
        assert _log(sqlite).stat().st_size == 0


def test_short_log_is_not_truncated(engine: Engine, sqlite: str):
    """Everybody would wait for nothing."""
    with engine.begin() as connection:
        connection.execute(insert(PREDICTIONS), make_prediction(make_record_id()))
    before = _log(sqlite).stat().st_size
    assert before > 0
    with engine.connect() as connection:
        shorten_log(connection)
    assert _log(sqlite).stat().st_size == before


def test_log_shrinks_after_a_long_reader(engine: Engine, sqlite: str):
    """By itself, when it restarts."""
    with engine.connect() as reader:
        reader.execute(text("BEGIN"))
        reader.execute(text("SELECT count(*) FROM predictions"))
        for _ in range(30):
            _write(engine)
        reader.rollback()
    grown = _log(sqlite).stat().st_size
    for _ in range(3):
        _write(engine)
    assert _log(sqlite).stat().st_size < grown / 4
