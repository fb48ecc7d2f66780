"""Databases are opened only if their tables have the right revision; errors are explained in words."""

from __future__ import annotations

import gc
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import insert, inspect, text

from app.db.engine import open_database, upgrade_database
from app.db.tables import EVENTS
from app.db.url import DatabaseAddress
from app.errors import InvalidSetting, RecordsUnavailable

ROOT = Path(__file__).resolve().parents[2]


def file_of(address: str) -> Path:
    """The file of an SQLite address."""
    return DatabaseAddress(address).file


def test_a_database_without_tables_is_refused(empty_address: str, opened):
    """Opening creates nothing, not even an empty file."""
    with pytest.raises(RecordsUnavailable, match=r"holds no records yet: the service creates the tables"):
        open_database(empty_address)

    if empty_address.startswith("sqlite"):
        assert not file_of(empty_address).parent.exists()
    else:
        upgrade_database(empty_address)
        assert inspect(opened(empty_address)).has_table("predictions")


def test_pragmas_of_an_sqlite_file(sqlite: str, opened):
    """Readers work beside the writer, deleted records are overwritten, and free space is given back."""
    upgrade_database(sqlite)

    with opened(sqlite).connect() as connection:
        said = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "auto_vacuum", "secure_delete", "synchronous", "busy_timeout")
        }

    assert said == {"journal_mode": "wal", "auto_vacuum": 2, "secure_delete": 1, "synchronous": 1, "busy_timeout": 1000}


def test_a_file_that_was_removed_is_not_created_again(sqlite: str, opened):
    """An empty file would hide that the records are gone."""
    upgrade_database(sqlite)
    engine = opened(sqlite)
    engine.dispose()
    file_of(sqlite).unlink()

    with pytest.raises(Exception, match="unable to open database file"), engine.connect():
        pass

    assert not file_of(sqlite).exists()


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path):
    """A file in its place stands for all reasons."""
    (tmp_path / "records").write_text("a file")

    with pytest.raises(RecordsUnavailable, match=r"records\.db cannot be used \((File exists|Not a directory)\)"):
        upgrade_database(f"sqlite:///{tmp_path}/records/records.db")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write")
def test_a_folder_that_cannot_be_written_is_named():
    """For a process that is not root, as the service should be."""
    # Not below pytest's folder, which only its owner may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        code = f"""
import os
import app.db.migrations.upgrade, sqlalchemy.dialects.sqlite
from app.db.engine import upgrade_database
os.setuid(65534)
try:
    upgrade_database("sqlite:///{folder}/records.db")
except Exception as error:
    print(type(error).__name__, error)
"""
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == (
        f"RecordsUnavailable {folder}/records.db cannot be used (unable to open database file): "
        "make its folder writable for the service, or name another file in DATABASE_URL.\n"
    )


def test_a_file_that_is_not_a_database_is_named(tmp_path: Path):
    """And left unchanged."""
    file = tmp_path / "records.db"
    file.write_text("this is a letter to my aunt, and it is longer than the head of a database\n" * 20)
    before = file.read_bytes()

    for attempt in (open_database, upgrade_database):
        with pytest.raises(RecordsUnavailable, match=r"file is not a database.*: move the file away"):
            attempt(f"sqlite:///{file}")
    assert file.read_bytes() == before


def test_a_locked_file_is_reported_as_locked(sqlite: str):
    """After the configured time."""
    upgrade_database(sqlite)
    holder = sqlite3.connect(file_of(sqlite), isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("DELETE FROM segments")

    for attempt in (open_database, upgrade_database):
        with pytest.raises(
            RecordsUnavailable, match=r"\(database is locked\): another process has locked it; try again"
        ):
            attempt(sqlite, lock_seconds=0.05)
    holder.close()


def test_a_server_that_is_down_is_named():
    """Without the password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

        for attempt in (open_database, upgrade_database):
            with pytest.raises(RecordsUnavailable) as refused:
                attempt(f"postgresql://isowatch:never-shown@127.0.0.1:{port}/records")
            assert str(refused.value) == (
                f"postgresql://isowatch@127.0.0.1:{port}/records cannot be used (Connection refused): "
                "check the server, or correct DATABASE_URL."
            )


def test_a_silent_server_is_given_up_after_the_timeout():
    """A machine that is switched off does not answer at all."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        with pytest.raises(RecordsUnavailable, match=r"cannot be used \(.*timed? ?out.*\)"):
            open_database(f"postgresql://isowatch@127.0.0.1:{port}/records", answer_seconds=0.05)


@pytest.mark.filterwarnings("ignore:.*unclosed <socket")  # which the driver leaves to Python
def test_the_message_of_a_server_is_shown(postgresql: str):
    """Here, that a database does not exist."""
    with pytest.raises(RecordsUnavailable, match=r'\(database "elsewhere" does not exist\): check the') as refused:
        open_database(f"{postgresql.rpartition('/')[0]}/elsewhere")

    assert "never-shown" not in str(refused.value)
    del refused
    gc.collect()


def test_a_password_may_come_from_the_environment(postgresql: str, monkeypatch, opened):
    """From PGPASSWORD, as in libpq."""
    monkeypatch.setenv("PGPASSWORD", "anything")

    upgrade_database(postgresql.replace(":never-shown@", "@"))

    opened(postgresql)


def test_engines_show_no_password(postgresql: str, opened):
    """Neither in their own text nor in that of their errors."""
    upgrade_database(postgresql)
    engine = opened(postgresql)

    with pytest.raises(Exception, match="does not exist") as failed, engine.connect() as connection:
        connection.execute(text("SELECT nothing"))

    assert "never-shown" not in repr(engine) + str(engine.url) + str(failed.value)


def test_events_are_stored_once(empty_address: str, opened):
    """Two recorders that report the same promotion write one event."""
    upgrade_database(empty_address)
    engine = opened(empty_address)
    event = {"at": 1.5, "who": "a@b", "what": "promotion", "before": "", "after": "v1", "note": json.dumps({})}
    with engine.begin() as connection:
        connection.execute(insert(EVENTS).values(event))

    with pytest.raises(Exception, match=r"(?i)unique"), engine.begin() as connection:
        connection.execute(insert(EVENTS).values(event))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("records.db", "names no database"),
        ("", "names no database"),
        ("mysql://isowatch:never-shown@db/records", "names no database"),
        ("postgresql://isowatch:never-shown@db:many/records", "has a port that is no number from 1 to 65535"),
        ("postgres://isowatch:never-shown@db:65536/records", "has a port that is no number from 1 to 65535"),
        ("postgresql://isowatch:never@never-shown@", "lacks the user, the host or the database"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///records.db?mode=ro", "names no file"),
        ("postgresql://db/records", "lacks the user, the host or the database"),
        ("postgresql://isowatch:never-shown@/records", "lacks the user, the host or the database"),
        ("postgresql://isowatch:never-shown@db", "lacks the user, the host or the database"),
        ("postgresql://isowatch@db/records?password=never-shown", "has the unknown parameter password"),
        ("postgresql://isowatch:never-shown@db/records?sslmode=prefer", "unknown sslmode"),
    ],
)
def test_an_address_of_no_database_is_refused(address: str, said: str):
    """With the reason, and without the password."""
    with pytest.raises(InvalidSetting) as refused:
        open_database(address)

    assert said in str(refused.value)
    assert "never-shown" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+pg8000"])
@pytest.mark.parametrize("password", ["p@ss", "p@s/s?w#rd:", "%40%2F", "[x"])
def test_any_password_is_parsed_and_never_shown(scheme: str, password: str):
    """Only the last `@` is followed by the host, as people do not encode their passwords."""
    address = DatabaseAddress(f"{scheme}://isowatch:{password}@db:5433/records?sslmode=require")

    assert str(address) == "postgresql://isowatch@db:5433/records"
    arguments = address.connect_arguments()
    assert (arguments["host"], arguments["password"]) == ("db", unquote(password))
