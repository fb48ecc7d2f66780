"""Removes records that are older than they are kept, with all that is known of them, in small steps."""

from __future__ import annotations

import time

from sqlalchemy import Connection, Table, delete, select, text

from app.records.record_id import first_id_at
from app.records.tables import AUDITS, LABELS, PREDICTIONS

# A step takes some milliseconds, for which rows wait in memory.
STEP_ROWS = 1000

# What a purge frees is used again by the next rows, so only far more than they need goes back to the system.
_KEPT_FREE_SHARE, _PAGES_A_STEP = 0.2, 256

_DAY_SECONDS = 86_400


class Retention:
    """Tells what is too old, and removes it.

    Parameters
    ----------
    days
        For how long records are kept.
    """

    def __init__(self, days: int) -> None:
        self._seconds = days * _DAY_SECONDS

    def purge_step(self, connection: Connection) -> int:
        """Remove the oldest rows that are too old, at most ``STEP_ROWS`` and the rest of a request.

        Labels and draws of a removed row go with it; the hourly counts stay.

        Returns
        -------
        int
            How many recorded rows were removed; fewer than ``STEP_ROWS`` when nothing else is too old.
        """
        limit = first_id_at(time.time() - self._seconds)
        too_old = PREDICTIONS.c.record_id < limit
        # Ids are in the order of time: what is too old is the beginning of the primary key.
        in_order = select(PREDICTIONS.c.record_id).where(too_old).order_by(PREDICTIONS.c.record_id, PREDICTIONS.c.row)
        last = connection.scalar(in_order.limit(1).offset(STEP_ROWS - 1))
        for table in (LABELS, AUDITS):
            _delete(connection, table, last, limit)
        return _delete(connection, PREDICTIONS, last, limit)


def give_back_space(connection: Connection) -> bool:
    """Give some free pages of an SQLite file back to the system, if far more are free than the next rows need."""
    if connection.dialect.name != "sqlite":
        return False  # PostgreSQL's autovacuum does it
    n_pages, n_free = (connection.scalar(text(f"PRAGMA {name}")) for name in ("page_count", "freelist_count"))
    if n_free <= _KEPT_FREE_SHARE * n_pages + _PAGES_A_STEP:
        return False
    driver = connection.connection.driver_connection
    assert driver is not None
    # As a script, since SQLite frees a page with each step of this statement, and `execute` takes one step only.
    driver.executescript(f"PRAGMA incremental_vacuum({_PAGES_A_STEP})")
    return True


def _delete(connection: Connection, table: Table, last: str | None, limit: str) -> int:
    """Delete the rows of a table up to a record, or else those of all records before a limit."""
    ids = table.c.record_id
    return connection.execute(delete(table).where(ids < limit if last is None else ids <= last)).rowcount
