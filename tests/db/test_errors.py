"""What a database says is understood, so that what can be mended is told apart from what cannot."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from app.db.errors import is_fault_of_rows, reason_of
from app.errors import RecordsUnavailable
from app.metrics.records import FULL, LOCKED, OTHER, SCHEMA, UNREACHABLE


class _ServerError(Exception):
    """A fake of what pg8000 raises: a table of fields, of which C is the code."""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("53100", FULL),
        ("53300", UNREACHABLE),
        ("55P03", LOCKED),
        ("57014", LOCKED),
        ("40P01", LOCKED),
        ("57P01", UNREACHABLE),
        ("28P01", UNREACHABLE),
        ("25006", UNREACHABLE),
        ("42P01", SCHEMA),
        ("XX000", OTHER),
    ],
)
def test_codes_of_postgresql(code: str, reason: str):
    """The whole code, or its class."""
    error = DBAPIError("INSERT", {}, _ServerError({"C": code}))

    assert reason_of(error) == reason
    assert not is_fault_of_rows(error)


def test_server_that_says_nothing_is_unreachable():
    """It gave no code."""
    assert reason_of(DBAPIError("INSERT", {}, _ServerError("network error"))) == UNREACHABLE


def test_missing_table_is_another_schema(address: str, opened: Callable[[str], Engine]):
    """Told by the databases themselves."""
    with opened(address).connect() as connection, pytest.raises(DBAPIError) as refused:
        connection.execute(text("INSERT INTO nothing VALUES (1)"))

    assert reason_of(refused.value) == SCHEMA


def test_file_that_cannot_be_opened_is_unreachable(tmp_path: Path):
    """As in a folder that is not there."""
    engine = create_engine(f"sqlite:///{tmp_path}/gone/records.db")
    with pytest.raises(DBAPIError) as refused:
        engine.connect()

    assert reason_of(refused.value) == UNREACHABLE


def test_refusal_in_words_is_what_it_was_caused_by(tmp_path: Path):
    """Without a cause, the database is well, and its tables are others."""
    with (
        closing(sqlite3.connect(tmp_path / "records.db")) as one,
        closing(sqlite3.connect(tmp_path / "records.db", timeout=0)) as other,
    ):
        one.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.Error) as locked:
            other.execute("BEGIN EXCLUSIVE")
    for cause, reason in ((locked.value, LOCKED), (OSError(errno.ENOSPC, "full"), FULL), (None, SCHEMA)):
        refusal = RecordsUnavailable("no")
        refusal.__cause__ = cause
        assert reason_of(refusal) == reason
        assert not is_fault_of_rows(refusal)


def test_mistake_of_ours_is_no_fault_of_the_database():
    """The same rows would fail again."""
    assert is_fault_of_rows(KeyError("row"))
    assert reason_of(KeyError("row")) == OTHER
