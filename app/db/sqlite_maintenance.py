"""How an SQLite database is kept as small as it can be, and what was deleted leaves its files for good."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy import Connection, Engine, text

# The write-ahead log begins anew every 4 MB, unless somebody reads just then; if it has grown, it gives its room back.
LARGEST_LOG_BYTES = 16 * 2**20

# A page is 4 KB: a step takes some milliseconds.
_PAGES_A_STEP = 1000

# The recorder, whose rows come first, does a quarter of that at a time. What a purge frees is used again by the next
# rows, so only far more than they need goes back to the system.
_PAGES_A_MOMENT, _KEPT_FREE_SHARE = 256, 0.2

# Whoever reads or writes just now is waited for; exports read a page at a time, so nobody does for long.
_CHECKPOINT_SECONDS = 30.0

_PAUSE_SECONDS = 0.05


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


def shorten_log(connection: Connection) -> None:
    """Cut a write-ahead log that readers have let grow: while one overlaps the next, it never begins anew by itself.

    Writers wait for readers that are at work, as long as for any lock; if these are slower, the next time may do it.
    """
    if connection.dialect.name != "sqlite":
        return
    log = Path(f"{connection.exec_driver_sql('PRAGMA database_list').one()[2]}-wal")
    if log.exists() and log.stat().st_size > LARGEST_LOG_BYTES:
        # The first one, which nobody waits for, leaves little to the second.
        connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)").all()
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()


def give_back_free_pages(engine: Engine) -> None:
    """Give what was freed back to the file system, in steps between which others can write."""
    if engine.dialect.name == "postgresql":
        return
    with engine.connect() as connection:
        while connection.scalar(text("PRAGMA freelist_count")):
            free_pages(connection, _PAGES_A_STEP)
            time.sleep(_PAUSE_SECONDS)


def give_back_space(connection: Connection) -> bool:
    """Give some free pages of an SQLite file back to the system, if far more are free than the next rows need."""
    if connection.dialect.name != "sqlite":
        return False  # PostgreSQL's autovacuum does it
    n_pages, n_free = (connection.scalar(text(f"PRAGMA {name}")) for name in ("page_count", "freelist_count"))
    if n_free <= _KEPT_FREE_SHARE * n_pages + _PAGES_A_MOMENT:
        return False
    free_pages(connection, _PAGES_A_MOMENT)
    return True


def free_pages(connection: Connection, number: int) -> None:
    """Cut at most so many free pages off an SQLite file; it is a transaction of its own."""
    driver = connection.connection.driver_connection
    assert driver is not None
    # SQLite frees one page each time that it is asked for the next row of the answer, and has none to give: only as a
    # script is the statement run to its end.
    driver.executescript(f"PRAGMA incremental_vacuum({int(number)})")
