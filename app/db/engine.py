"""Opens the database of records, an SQLite file or a PostgreSQL server, and upgrades its tables."""

from __future__ import annotations

import logging
import sqlite3
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError

from app.db.errors import refusing_in_words
from app.db.read_only_sqlite import connect_read_only, is_read_only
from app.db.revision import REVISION, read_revision, require_no_newer, require_this_revision
from app.db.sqlite_maintenance import MAX_LOG_BYTES
from app.db.url import POSTGRESQL, SQLITE, DatabaseAddress, SQLiteFiles

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

# All engines of this process for SQLite, and the files that each open connection uses.
_engines: weakref.WeakSet[Engine] = weakref.WeakSet()
_opened: dict[int, SQLiteFiles] = {}


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
    connect = partial(_connect, address, file, timeout=lock_seconds, uri=True, check_same_thread=False)
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
    _watch_files(engine, address)
    return engine


def _connect(address: DatabaseAddress, file: str, **arguments: Any) -> sqlite3.Connection:
    """Connect to an SQLite file."""
    _require_no_removed_log(address)
    connection: sqlite3.Connection = sqlite3.connect(file, **arguments)
    return connection


def _watch_files(engine: Engine, address: DatabaseAddress) -> None:
    """Discard connections whose file was moved away or replaced, or whose log was removed.

    Such a connection would go on writing to files without names, which end with it. SQLite shares the index of the log
    among the connections of a process, so all of them are closed before a new one is opened.
    """

    def on_connect(connection: DBAPIConnection, record: object) -> None:
        _opened[id(connection)] = address.identify_files()

    def on_close(connection: DBAPIConnection, record: object = None) -> None:
        _opened.pop(id(connection), None)

    def on_checkout(connection: DBAPIConnection, record: object, proxy: object) -> None:
        now, opened = address.identify_files(), _opened.get(id(connection))
        if now == opened:
            return
        if opened is not None and now[0] == opened[0]:
            _save_removed_log(connection, address)
            for other in list(_engines):
                if other is not engine:
                    other.dispose()
        raise DisconnectionError(f"{address} is another file now")

    _engines.add(engine)
    event.listen(engine, "connect", on_connect)
    event.listen(engine, "close", on_close)
    event.listen(engine, "close_detached", on_close)
    event.listen(engine, "checkout", on_checkout)


def _require_no_removed_log(address: DatabaseAddress) -> None:
    """Refuse to connect while a connection of this process uses a log that was removed.

    Raises
    ------
    sqlite3.OperationalError
        Until that connection is closed, which its next use or the end of its transaction does.
    """
    now = address.identify_files()
    if any(opened[0] == now[0] and opened != now for opened in list(_opened.values())):
        raise sqlite3.OperationalError("its write-ahead log was removed, and is locked until it is saved")


def _save_removed_log(connection: DBAPIConnection, address: DatabaseAddress) -> None:
    """Move what a removed log holds into the database."""
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        is_saved = (cursor.fetchone() or (1,))[0] == 0
    except sqlite3.Error:
        is_saved = False
    finally:
        cursor.close()
    log.error(
        "%s-wal or -shm was removed or replaced while the database was in use: what the log held %s. Do not remove "
        "these files while the service runs.",
        address,
        "is saved in the database" if is_saved else "may be lost, as another process was using it",
    )


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
    # Reading the version opens the log, whose files can be watched from then on.
    for pragma in (
        "synchronous = NORMAL",
        "secure_delete = ON",
        f"journal_size_limit = {MAX_LOG_BYTES}",
        "schema_version",
    ):
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
