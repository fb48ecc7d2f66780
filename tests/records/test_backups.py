"""The commands of docs/backup.md: a backup is consistent while records are written, and can be restored."""

from __future__ import annotations

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select

from app.db.engine import open_database, upgrade_database
from app.db.tables import EVENTS

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "backup.md").read_text()

# Python that copies the file, in a container and outside.
COPYING = re.findall(r"python3? (-c \"\n.*?\n\")\n", DOCUMENT, re.DOTALL)


def _in_folder(folder: Path, commands: str) -> str:
    """Make commands find the records in a folder, and keep backups beside them."""
    commands = re.sub(r"(/var/lib/isowatch)?/records/", f"{folder}/", commands)
    return commands.replace("/var/backups/isowatch/records.db", f"{folder}/copy.db")


def _shell(commands: str, **environment: str | Path) -> None:
    """Run commands, which must succeed."""
    known = {name: str(value) for name, value in environment.items()}
    done = subprocess.run(["sh", "-e", "-c", commands], env=os.environ | known, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@contextmanager
def _connected(address: str) -> Iterator[Connection]:
    """Connect, commit, and leave no connection behind."""
    database = open_database(address)
    try:
        with database.begin() as connection:
            yield connection
    finally:
        database.dispose()


def _add_event(address: str, version: str) -> None:
    """Write one line of the audit trail."""
    event = {"at": 1.0, "who": "eva@desk", "what": "promotion", "before": "", "after": version, "note": ""}
    with _connected(address) as connection:
        connection.execute(insert(EVENTS), [event])


def _versions(address: str) -> list[str]:
    """Read what was written."""
    with _connected(address) as connection:
        return list(connection.scalars(select(EVENTS.c.after).order_by(EVENTS.c.id)))


@pytest.mark.parametrize("copying", COPYING, ids=["with Compose", "without containers"])
def test_copy_of_an_sqlite_file_is_consistent_while_it_is_written(copying: str, tmp_path: Path):
    """It has everything that was committed, even if only the log has it, and nothing of an open transaction."""
    records = tmp_path / "records.db"
    address = f"sqlite:///{records}"
    upgrade_database(address)
    writer = sqlite3.connect(records, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    # No checkpoint: what is committed stays in the log.
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    _add_event(address, "committed")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("UPDATE events SET after = 'underway'")

    _shell(f"{shlex.quote(sys.executable)} {_in_folder(tmp_path, copying)}")

    writer.close()
    copy = tmp_path / "copy.db"
    assert _versions(f"sqlite:///{copy}") == ["committed"]
    connection = sqlite3.connect(copy)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_sqlite_file_is_restored_without_the_later_log(tmp_path: Path):
    """The log of the old file must not be applied to the restored one."""
    [restoring] = re.findall(r"service sh -c '\n(.*?)' < records.backup.db\n", DOCUMENT, re.DOTALL)
    records, backup = tmp_path / "records.db", tmp_path / "backup.db"
    address = f"sqlite:///{records}"
    upgrade_database(address)
    _add_event(address, "before")
    other = sqlite3.connect(records)
    other.execute("VACUUM INTO ?", [str(backup)])
    _add_event(address, "since")
    # A process that is killed leaves its log behind.
    log = records.with_name("records.db-wal").read_bytes()
    other.close()
    records.with_name("records.db-wal").write_bytes(log)

    _shell(f"{{ {_in_folder(tmp_path, restoring)}; }} < {backup}")

    assert _versions(address) == ["before"]


def test_postgresql_is_restored(postgresql: str, tmp_path: Path):
    """What was written after the backup is gone, and ids continue from there."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    path = f"{programs}:{os.environ['PATH']}"
    dump, restore = (
        re.search(rf"^{program} .*$", DOCUMENT, re.MULTILINE).group() for program in ("pg_dump", "pg_restore")
    )
    upgrade_database(postgresql)
    _add_event(postgresql, "before")
    _shell(f"cd {tmp_path} && {dump}", DATABASE_URL=postgresql, PATH=path)
    _add_event(postgresql, "since")

    _shell(f"cd {tmp_path} && {restore}", DATABASE_URL=postgresql, PATH=path)

    assert _versions(postgresql) == ["before"]
    _add_event(postgresql, "after")
    with _connected(postgresql) as connection:
        assert connection.scalar(select(func.max(EVENTS.c.id))) == 2
