"""Opens the database of records, an SQLite file or a PostgreSQL server, and upgrades its tables."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError

from app.db.errors import refusing_in_words
from app.db.read_only_sqlite import connect_read_only, is_read_only
from app.db.revision import REVISION, read_revision, require_no_newer, require_this_revision
from app.db.sqlite_maintenance import MAX_LOG_BYTES
from app.db.url import POSTGRESQL, SQLITE, DatabaseAddress

log = logging.getLogger(__name__)

# Long enough for a short transaction of another process; after that, the database counts as locked.
_LOCK_SECONDS = 1.0

# Every statement of the service is one index search or a small write; a server that is silent for longer is down.
_ANSWER_SECONDS = 10.0

# A migration of many rows takes minutes.
_UPGRADE_SECONDS = 600.0

# Any number that no other program uses for its own locks in the same PostgreSQL database.
_UPGRADE_LOCK = 0x150_7A7C4

_PAUSE_SECONDS = 0.02


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that will write; commit it at the end, or roll it back on an exception.

    By default SQLite starts as a reader and refuses the first write immediately if another process has written
    meanwhile. So the write lock is taken at the start, for which SQLite waits.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection


def open_database(
    address: str, *, lock_seconds: float = _LOCK_SECONDS, answer_seconds: float = _ANSWER_SECONDS
) -> Engine:
    """Open the database, whose tables must be up to date.

    An SQLite file that is removed while it is open is not created again: later connections fail.

    Parameters
    ----------
    address
        A ``DATABASE_URL``.
    lock_seconds
        How long a connection waits while another process writes to the SQLite file.
    answer_seconds
        How long a PostgreSQL server may take to answer.

    Raises
    ------
    InvalidSetting
        If the address names no database.
    RecordsUnavailable
        If the database cannot be reached, or its tables are missing, older or newer.
    """
    named = DatabaseAddress(address)
    if named.kind == SQLITE and not named.file.exists():
        require_this_revision(None, named)
    engine = _make_engine(named, lock_seconds, answer_seconds)
    try:
        with refusing_in_words(named), engine.connect() as connection:
            revision = read_revision(connection)
        require_this_revision(revision, named)
    except BaseException:
        engine.dispose()
        raise
    return engine


def upgrade_database(address: str, *, lock_seconds: float = _LOCK_SECONDS) -> None:
    """Create or upgrade the tables; for the recorder and the command line only.

    It is one transaction, so no other process sees half an upgrade, and only one of several processes upgrades.

    Parameters
    ----------
    address
        A ``DATABASE_URL``; the folder of an SQLite file is created.
    lock_seconds
        How long to wait for another process that writes or upgrades.

    Raises
    ------
    InvalidSetting
        If the address names no database.
    RecordsUnavailable
        If the database cannot be reached or written, or its tables are newer.
    """
    named = DatabaseAddress(address)
    with refusing_in_words(named):
        # Checked first, as it is fast, and fails fast if the server is down.
        if _is_up_to_date(named, lock_seconds):
            return
        if named.kind == SQLITE:
            named.file.parent.mkdir(parents=True, exist_ok=True)
        engine = _make_engine(named, lock_seconds, _UPGRADE_SECONDS, may_create=True)
        try:
            with engine.begin() as connection:
                if named.kind == POSTGRESQL:
                    connection.execute(text(f"SET LOCAL lock_timeout = {round(lock_seconds * 1000)}"))
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADE_LOCK})"))
                before = read_revision(connection)
                require_no_newer(before, named)
                if before == REVISION:
                    return
                with _quiet_alembic():
                    # Imported late: Alembic takes longer to import than the service to start.
                    from app.db.migrations.upgrade import upgrade_tables

                    upgrade_tables(connection)
        finally:
            engine.dispose()
    log.info("the tables of records in %s are at revision %s", named, REVISION)


def _is_up_to_date(address: DatabaseAddress, lock_seconds: float) -> bool:
    """Return whether the tables are up to date, without changing anything."""
    if address.kind == SQLITE and not address.file.exists():
        return False
    engine = _make_engine(address, lock_seconds, _ANSWER_SECONDS)
    try:
        with engine.connect() as connection:
            revision = read_revision(connection)
    finally:
        engine.dispose()
    require_no_newer(revision, address)
    return revision == REVISION


def _make_engine(
    address: DatabaseAddress, lock_seconds: float, answer_seconds: float, *, may_create: bool = False
) -> Engine:
    """Create an engine; nothing is connected yet."""
    if address.kind == POSTGRESQL:
        arguments = address.connect_arguments() | {"timeout": answer_seconds}
        # The check before each use detects a server that was restarted, for one round trip.
        return create_engine("postgresql+pg8000://", connect_args=arguments, pool_pre_ping=True)
    file = f"file:{quote(str(address.file.absolute()))}?mode={'rwc' if may_create else 'rw'}"
    connect = partial(sqlite3.connect, file, timeout=lock_seconds, uri=True, check_same_thread=False)
    # The engine chooses its pool by this; `creator` opens the connections.
    named = URL.create(SQLITE, database=str(address.file))
    if may_create:
        engine = create_engine(named, creator=lambda: _create_file(connect, lock_seconds))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    elif is_read_only(address.file):
        only_read = partial(connect_read_only, address.file, file, timeout=lock_seconds, check_same_thread=False)
        engine = create_engine(named, creator=only_read, poolclass=NullPool)
    else:
        engine = create_engine(named, creator=connect)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "connect", lambda _, record: record.info.update(file=address.identify_file()))
    event.listen(engine, "checkout", lambda _, record, __: _require_file(record.info["file"], address))
    return engine


def _require_file(opened: tuple[int, int] | None, address: DatabaseAddress) -> None:
    """Discard a connection to a file that was moved away or replaced."""
    if address.identify_file() != opened:
        raise DisconnectionError(f"{address} is another file now")


def _create_file(connect: partial[sqlite3.Connection], lock_seconds: float) -> sqlite3.Connection:
    """Connect to a file that may be new, and set options that cannot be changed later."""
    # Otherwise, Python would commit before and after each change of a table; an upgrade is one transaction.
    connection = connect(isolation_level=None)
    deadline = time.monotonic() + lock_seconds
    while True:
        try:
            # Lets the file shrink after a purge. It must be set before the first table and before the journal mode.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            # Readers and the writer work side by side.
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Another process creates the file; SQLite does not wait for that by itself.
            if "locked" not in str(error) or time.monotonic() > deadline:
                connection.close()
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return connection


def _prepare_sqlite(connection: DBAPIConnection, _: object) -> None:
    """Set options: a power cut loses only the last moments, deleted rows are overwritten, and the log stays small."""
    cursor = connection.cursor()
    for pragma in ("synchronous = NORMAL", "secure_delete = ON", f"journal_size_limit = {MAX_LOG_BYTES}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def _quiet_alembic() -> Iterator[None]:
    """Limit Alembic to warnings, also while it is imported, when it logs each of its plugins."""
    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
