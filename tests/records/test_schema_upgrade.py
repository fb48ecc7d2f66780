"""Tables are created and upgraded once, completely or not at all; a newer database is left unchanged."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, insert, inspect, select, text
from sqlalchemy.exc import OperationalError

from app.db import engine as database
from app.db.engine import open_database, upgrade_database
from app.db.migrations import upgrade
from app.db.migrations.upgrade import FOLDER, configure
from app.db.revision import REVISION, REVISION_TABLE
from app.db.tables import METADATA, SEGMENTS
from app.db.url import DatabaseAddress
from app.errors import RecordsUnavailable

ROOT = Path(__file__).resolve().parents[2]

NEXT_REVISION = f"{int(REVISION) + 1:04}"

NEXT_MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "{next}"
down_revision = "{now}"


def upgrade():
    op.add_column("segments", sa.Column("colour", sa.String(20), nullable=False, server_default="grey"))
    {further}
"""


@pytest.fixture
def address(empty_address: str) -> str:
    """The address of a database without tables, of each kind in turn."""
    return empty_address


def layout(engine: Engine) -> list[tuple[str, ...]]:
    """Return the database's own description of its tables and indexes, without Alembic's table."""
    if engine.dialect.name == "sqlite":
        # SQLite keeps the text of CREATE TABLE, to which ALTER TABLE adds a column after the constraints.
        question = """
            SELECT m.name, c.cid, c.name || ' ' || c.type || c."notnull" || coalesce(c.dflt_value, '-') || c.pk || t.wr
                FROM sqlite_master m JOIN pragma_table_list t USING (name) JOIN pragma_table_xinfo(m.name) c
                WHERE m.type = 'table'
            UNION ALL SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"""
    else:
        question = """
            SELECT table_name, column_name, concat_ws(' ', data_type, character_maximum_length, is_nullable,
                ordinal_position, column_default) FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"""
    with engine.connect() as connection:
        rows = [tuple(re.sub(r"\s+", " ", str(part)) for part in row) for row in connection.execute(text(question))]
    return sorted(row for row in rows if REVISION_TABLE not in row[0])


def test_migrations_create_the_tables_of_the_code(address: str, opened):
    """Alembic finds no difference."""
    upgrade_database(address)

    with opened(address).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": REVISION_TABLE, "compare_server_default": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_migrations_create_exactly_the_tables_of_the_code(address: str, request, tmp_path: Path, opened):
    """Including what Alembic does not compare: conditions of indexes, tables without row ids, the order of columns."""
    upgrade_database(address)
    migrated = opened(address)
    if migrated.dialect.name == "sqlite":
        straight = create_engine(f"sqlite:///{tmp_path}/straight.db")
        METADATA.create_all(straight)
        assert layout(migrated) == layout(straight)
        straight.dispose()
    else:
        before = layout(migrated)
        METADATA.drop_all(migrated)
        METADATA.create_all(migrated)
        assert layout(migrated) == before
    assert len(layout(migrated)) >= 15


def test_the_revision_in_the_code_is_the_newest_migration():
    """Opening a database does not import Alembic, so the revision is a constant."""
    scripts = ScriptDirectory.from_config(configure(FOLDER))

    assert scripts.get_heads() == [REVISION]
    revisions = [script.revision for script in scripts.walk_revisions()]
    assert revisions == sorted(revisions, reverse=True)


def test_opening_does_not_import_alembic(sqlite: str):
    """It is not installed for training, and takes too long for a worker."""
    upgrade_database(sqlite)
    code = f"""
import sys
from app.db.url import DatabaseAddress
from app.db.engine import open_database, upgrade_database
open_database({sqlite!r})
upgrade_database({sqlite!r})
sys.exit("alembic" in sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_first_upgrade_is_one_line_in_the_log(sqlite: str):
    """In a process of its own, as Alembic logs while it is imported."""
    code = f"""
import logging
from app.db.engine import upgrade_database
logging.basicConfig(level=logging.INFO)
upgrade_database({sqlite!r})
logging.getLogger("alembic").info("afterwards it may talk")
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert [line.partition(":")[2].partition(":")[0] for line in run.stderr.splitlines()] == [
        "app.db.engine",
        "alembic",
    ]


def test_a_file_that_is_moved_away_is_no_longer_used(sqlite: str, tmp_path: Path, opened):
    """Even by open connections; the next file with that name is used."""
    upgrade_database(sqlite)
    engine = opened(sqlite)
    with engine.connect() as connection:
        connection.execute(text("INSERT INTO segments VALUES ('de', 0)"))
        connection.commit()
    file = DatabaseAddress(sqlite).file
    for part in list(file.parent.iterdir()):
        part.rename(tmp_path / part.name)
    with pytest.raises(OperationalError, match="unable to open"):
        engine.connect()
    upgrade_database(sqlite)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM segments")) == 0


def test_upgrading_again_changes_nothing(address: str, caplog, opened):
    """And logs nothing; the first time is one line."""
    with caplog.at_level(logging.INFO):
        upgrade_database(address)
        engine = opened(address)
        before = layout(engine)
        with engine.begin() as connection:
            connection.execute(insert(SEGMENTS).values(name="EU", first_seen_at=1.0))
        upgrade_database(address)

    assert layout(engine) == before
    with engine.connect() as connection:
        assert connection.scalar(select(SEGMENTS.c.name)) == "EU"
    [line] = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(rf"the tables of records in .* are at revision {REVISION}", line)


@pytest.fixture
def with_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Add a migration to a copy of the migrations, and make the code use the copy with its revision."""

    def add(further: str = "") -> None:
        folder = tmp_path / "migrations"
        (folder / "versions").mkdir(parents=True)
        for file in (FOLDER / "env.py", *(FOLDER / "versions").glob("*.py")):
            (folder / file.relative_to(FOLDER)).write_text(file.read_text())
        migration = NEXT_MIGRATION.format(further=further, now=REVISION, next=NEXT_REVISION)
        (folder / "versions/next.py").write_text(migration)
        monkeypatch.setattr(upgrade.upgrade_tables, "__defaults__", (folder,))
        for module in ("engine", "revision"):
            monkeypatch.setattr(f"app.db.{module}.REVISION", NEXT_REVISION)

    return add


def test_an_upgrade_keeps_records(address: str, with_another, opened):
    """A later revision adds to the tables; code that is too new for a database says what to do."""
    upgrade_database(address)
    with opened(address).begin() as connection:
        connection.execute(insert(SEGMENTS).values(name="EU", first_seen_at=1.0))
    with_another()

    problem = rf"older Isowatch \(revision {REVISION}, this one needs {NEXT_REVISION}\): start the"
    with pytest.raises(RecordsUnavailable, match=problem):
        open_database(address)
    upgrade_database(address)

    with opened(address).connect() as connection:
        assert connection.execute(text("SELECT name, colour FROM segments")).all() == [("EU", "grey")]


def test_an_upgrade_that_fails_changes_nothing(address: str, with_another, opened):
    """It is one transaction, even in SQLite."""
    upgrade_database(address)
    engine = opened(address)
    before = layout(engine)
    with_another(further='raise RuntimeError("in the middle")')

    with pytest.raises(RuntimeError, match="in the middle"):
        upgrade_database(address)

    assert layout(engine) == before
    with engine.connect() as connection:
        assert connection.scalar(text(f"SELECT version_num FROM {REVISION_TABLE}")) == REVISION


def test_concurrent_upgrades_create_the_tables_once(address: str, opened):
    """The second finds them."""
    code = f"""
import sys
from app.db.url import DatabaseAddress
from app.db.engine import open_database, upgrade_database
sys.stdin.readline()
upgrade_database({address!r}, lock_seconds=60)
open_database({address!r})
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said.decode()
    with opened(address).connect() as connection:
        assert connection.execute(text(f"SELECT version_num FROM {REVISION_TABLE}")).all() == [(REVISION,)]


def test_an_upgrade_waits_for_another(postgresql: str, opened):
    """For the one that holds the lock, until it has finished."""
    upgrade_database(postgresql)
    engine = opened(postgresql)
    with engine.begin() as connection:
        connection.execute(text(f"DROP TABLE {REVISION_TABLE}"))
        METADATA.drop_all(connection)
    upgrading = threading.Thread(target=upgrade_database, args=(postgresql,), kwargs={"lock_seconds": 60.0})
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")

    with engine.begin() as first, engine.connect() as observer:
        first.execute(text(f"SELECT pg_advisory_xact_lock({database._UPGRADE_LOCK})"))
        upgrading.start()
        deadline = time.monotonic() + 60
        while not observer.scalar(waiting):
            assert upgrading.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert not inspect(observer).has_table("predictions")
    upgrading.join(timeout=60)

    assert inspect(engine).has_table("predictions")


def test_an_upgrade_does_not_wait_forever(address: str, opened, with_another):
    """The recorder retries, and counts failures meanwhile."""
    upgrade_database(address)
    engine = opened(address)
    with_another()
    with engine.begin() as other:
        if engine.dialect.name == "sqlite":
            other.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            other.execute(text(f"SELECT pg_advisory_xact_lock({database._UPGRADE_LOCK})"))

        with pytest.raises(RecordsUnavailable, match=r"cannot be used \((database is locked|.* due to lock timeout)\)"):
            upgrade_database(address, lock_seconds=0.05)


def test_a_newer_database_is_refused(address: str, opened):
    """When it is opened and when it would be upgraded; it is left unchanged."""
    upgrade_database(address)
    engine = opened(address)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {REVISION_TABLE} SET version_num = '0009'"))
    before = layout(engine)

    for attempt in (open_database, upgrade_database):
        with pytest.raises(RecordsUnavailable) as refused:
            attempt(address)
        assert re.search(
            rf"records.* was written by a newer Isowatch \(revision 0009, this one knows up to {REVISION}\): install",
            str(refused.value),
        )
        assert "never-shown" not in str(refused.value)
    assert layout(engine) == before
