"""How much room the database takes, and how what was deleted leaves it for good."""

from __future__ import annotations

import time

from sqlalchemy import Connection, Engine, text

# A page is 4 KB: a step takes some milliseconds.
_PAGES_A_STEP = 1000

# Whoever reads or writes just now is waited for; exports read a page at a time, so nobody does for long.
_CHECKPOINT_SECONDS = 30.0

_PAUSE_SECONDS = 0.05


def database_bytes(connection: Connection) -> int:
    """Tell the size of the database: that of an SQLite file with its write-ahead log, or of all in a PostgreSQL one."""
    if connection.dialect.name == "postgresql":
        return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
    pages, page_bytes = (int(connection.scalar(text(f"PRAGMA {name}")) or 0) for name in ("page_count", "page_size"))
    return pages * page_bytes


def overwrite_what_was_deleted(engine: Engine) -> bool:
    """Make sure that nothing deleted is left in the files of an SQLite database.

    Deleted rows are overwritten in their pages at once (``secure_delete``), but the write-ahead log still holds the
    pages as they were: all of it is moved into the file, and it is cut to nothing.

    Returns
    -------
    False if others used the database all the time, so that the log could not be cut; for PostgreSQL, where the server
    sees to its own files, always True.
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


def give_back_free_pages(engine: Engine) -> None:
    """Give what was freed back to the file system, in steps between which others can write."""
    if engine.dialect.name == "postgresql":
        return
    with engine.connect() as connection:
        while connection.scalar(text("PRAGMA freelist_count")):
            free_pages(connection, _PAGES_A_STEP)
            time.sleep(_PAUSE_SECONDS)


def free_pages(connection: Connection, number: int) -> None:
    """Cut at most so many free pages off an SQLite file; it is a transaction of its own."""
    driver = connection.connection.driver_connection
    assert driver is not None
    # SQLite frees one page each time that it is asked for the next row of the answer, and has none to give: only as a
    # script is the statement run to its end.
    driver.executescript(f"PRAGMA incremental_vacuum({int(number)})")
