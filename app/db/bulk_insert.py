"""Inserts many rows, in few round trips and without taking the core away from requests.

SQLite runs in this process, so ``executemany`` is fast, and a few rows at a time cost little more. The driver of
PostgreSQL sends each row of an ``executemany`` by itself and waits for an answer; there, all rows are sent as one JSON
text that the server unpacks.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Insert,
    LargeBinary,
    Table,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

# Half a millisecond of work, on the machine of decision 12: so long a request waits for a core that is shared. A batch
# at once would be four milliseconds; half as many rows a piece helped no more, and cost more statements.
PIECE_ROWS = 100

# Long enough for the kernel to run another thread; it adds some 2 ms to a batch, which nobody waits for.
_PAUSE_SECONDS = 0.0001

# A tenth of the queue, and one second at 5,000 rows a second: from here on, losing no row comes first.
_BEHIND_ROWS = 5_000

_encoder = msgspec.json.Encoder()


class Throttle:
    """Pauses the writer for a moment after every ``PIECE_ROWS`` rows, unless it falls behind.

    Parameters
    ----------
    n_pending
        Returns the number of rows that are not written yet; from 5,000 on there is no pause.

    Examples
    --------
    >>> throttle = Throttle(lambda: 0)
    >>> throttle.step(PIECE_ROWS)
    """

    def __init__(self, n_pending: Callable[[], int]) -> None:
        self._n_pending = n_pending
        self._n_since_pause = 0

    def step(self, n_rows: int = 1) -> None:
        """Count rows that were processed, and pause if it is time to."""
        self._n_since_pause += n_rows
        if self._n_since_pause < PIECE_ROWS:
            return
        self._n_since_pause = 0
        if self._n_pending() < _BEHIND_ROWS:
            time.sleep(_PAUSE_SECONDS)


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], throttle: Throttle) -> None:
    """Insert rows, given as mappings from column to value; all have the same columns."""
    if rows and connection.dialect.name == "postgresql":
        _send(connection, postgresql.insert(table).from_select(*_unpacked(table)), rows)
    else:
        for first in range(0, len(rows), PIECE_ROWS):
            piece = list(rows[first : first + PIECE_ROWS])
            connection.execute(insert(table), piece)
            throttle.step(len(piece))


def add_to_counts(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or add their values to existing rows with the same key."""
    if rows and connection.dialect.name == "postgresql":
        _send(connection, _adding(table, postgresql.insert(table).from_select(*_unpacked(table))), rows)
    elif rows:
        connection.execute(_adding(table, sqlite.insert(table)), list(rows))


def _send(connection: Connection, statement: Insert, rows: Sequence[dict[str, Any]]) -> None:
    """Send all rows at once."""
    connection.execute(statement, {"rows": _encoder.encode(rows).decode()})


def _adding(table: Table, statement: Any) -> Any:
    """Make an insertion add to existing rows."""
    added = [each for each in table.columns if not each.primary_key]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={each.name: each + statement.excluded[each.name] for each in added},
    )


@cache
def _unpacked(table: Table) -> tuple[list[str], Any]:
    """Select the rows of a table from a JSON text, bound as ``rows``."""
    names = table.columns.keys()
    # msgspec writes bytes in Base64.
    parts = [column(each.name, Text() if _is_binary(each) else each.type) for each in table.columns]
    as_json = cast(bindparam("rows", type_=Text()), JSON)
    rows = func.json_to_recordset(as_json).table_valued(*parts, name="given").render_derived(with_types=True)
    chosen = [
        func.decode(rows.c[each.name], "base64") if _is_binary(each) else rows.c[each.name] for each in table.columns
    ]
    return names, select(*chosen)


def _is_binary(each: Column[Any]) -> bool:
    """Return whether a column holds bytes."""
    return isinstance(each.type, LargeBinary)
