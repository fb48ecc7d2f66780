"""Keeps SQLite files small, and removes deleted data from them."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, text

# The write-ahead log restarts every 4 MB unless there is a reader at that time; a log that has grown is cut to this.
MAX_LOG_BYTES = 16 * 2**20

# A page is 4 KB: a step takes some milliseconds.
_PAGES_PER_STEP = 1000

# The recorder, whose rows come first, frees a quarter of that at a time. The next rows reuse the pages that a purge
# frees, so only pages far beyond that are given back.
_RECORDER_PAGES, _FREE_SHARE = 256, 0.2

# How long to wait for other readers and writers; exports read a page at a time, so none takes long.
_CHECKPOINT_SECONDS = 30.0

_PAUSE_SECONDS = 0.05


def overwrite_what_was_deleted(engine: Engine) -> bool:
    """Remove all deleted data from the files of an SQLite database.

    Deleted rows are overwritten in their pages immediately (``secure_delete``), but the write-ahead log still holds old
    versions of the pages. So all of it is moved into the file, and it is truncated.

    Returns
    -------
    False if other processes used the database all the time, so that the log could not be truncated. Always True for
    PostgreSQL, which manages its own files.
    """
    if engine.dialect.name == "postgresql":
        return True
    deadline = time.monotonic() + _CHECKPOINT_SECONDS
    with engine.connect() as connection:
        while True:
            is_busy, *_ = connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).one()
            if not is_busy:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_SECONDS)


def shorten_log(connection: Connection) -> None:
    """Truncate a large write-ahead log: while there is always a reader, it does not restart by itself.

    This waits for readers as long as for any lock; if they take longer, the next call may succeed.
    """
    if connection.dialect.name != "sqlite":
        return
    log = Path(f"{connection.exec_driver_sql('PRAGMA database_list').one()[2]}-wal")
    if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
        # The first one blocks nobody, and leaves little to do for the second.
        connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").all()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()


def save_log(connection: Connection) -> bool:
    """Copy what the write-ahead log holds into the database, without waiting; return whether that was all of it."""
    if connection.dialect.name != "sqlite":
        return True
    is_busy, n_pages, n_saved = connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").one()
    return not is_busy and n_pages == n_saved


def give_back_free_pages(engine: Engine) -> None:
    """Return free pages to the file system, in steps between which others can write."""
    if engine.dialect.name == "postgresql":
        return
    with engine.connect() as connection:
        while connection.scalar(text("PRAGMA freelist_count")):
            free_pages(connection, _PAGES_PER_STEP)
            time.sleep(_PAUSE_SECONDS)


def give_back_space(connection: Connection) -> bool:
    """Return some free pages to the file system if many more are free than needed; return whether it did."""
    if connection.dialect.name != "sqlite":
        return False  # PostgreSQL's autovacuum does it
    n_pages, n_free = (connection.scalar(text(f"PRAGMA {name}")) for name in ("page_count", "freelist_count"))
    if n_free <= _FREE_SHARE * n_pages + _RECORDER_PAGES:
        return False
    free_pages(connection, _RECORDER_PAGES)
    return True


def free_pages(connection: Connection, number: int) -> None:
    """Cut up to ``number`` free pages off an SQLite file, in a transaction of its own."""
    driver = connection.connection.driver_connection
    assert driver is not None
    # SQLite frees one page for each step of the statement, which returns no rows: only a script runs all steps.
    driver.executescript(f"PRAGMA incremental_vacuum({int(number)})")
