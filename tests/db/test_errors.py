"""Errors of a database are classified, so that those that can be fixed are told from those that cannot."""

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
    """Make a fake error of pg8000: a table of fields, of which C is the code."""


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


def test_server_that_does_not_answer_is_unreachable():
    """The error has no code."""
    assert reason_of(DBAPIError("INSERT", {}, _ServerError("network error"))) == UNREACHABLE


def test_missing_table_is_another_schema(address: str, opened: Callable[[str], Engine]):
    """With errors of real databases."""
    with opened(address).connect() as connection, pytest.raises(DBAPIError) as refused:
        connection.execute(text("INSERT INTO nothing VALUES (1)"))

    assert reason_of(refused.value) == SCHEMA


def test_file_that_cannot_be_opened_is_unreachable(tmp_path: Path):
    """As in a folder that does not exist."""
    engine = create_engine(f"sqlite:///{tmp_path}/gone/records.db")
    with pytest.raises(DBAPIError) as refused:
        engine.connect()

    assert reason_of(refused.value) == UNREACHABLE


def test_explained_error_has_the_reason_of_its_cause(tmp_path: Path):
    """Without a cause, the database works but has other tables."""
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


def test_bug_is_not_a_fault_of_the_database():
    """The same rows would fail again."""
    assert is_fault_of_rows(KeyError("row"))
    assert reason_of(KeyError("row")) == OTHER
