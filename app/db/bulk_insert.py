"""Inserts many rows in few round trips, into SQLite and PostgreSQL.

SQLite runs in this process, so ``executemany`` is fast, and a few rows at a time cost little more. The driver of
PostgreSQL sends each row of an ``executemany`` by itself and waits for an answer; there, all rows travel as one JSON
text that the server takes apart.
"""

from __future__ import annotations

from collections.abc import Sequence
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

from app.db.throttle import PIECE_ROWS, Throttle

_encoder = msgspec.json.Encoder()


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], pace: Throttle) -> None:
    """Insert rows, mappings from column to value; each names all columns that it gives a value."""
    if rows and connection.dialect.name == "postgresql":
        _send(connection, postgresql.insert(table).from_select(*_taken_apart(table)), rows)
    else:
        for first in range(0, len(rows), PIECE_ROWS):
            piece = list(rows[first : first + PIECE_ROWS])
            connection.execute(insert(table), piece)
            pace.step(len(piece))


def add_to_counts(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or add what is no part of their key to the rows that are there."""
    if rows and connection.dialect.name == "postgresql":
        _send(connection, _adding(table, postgresql.insert(table).from_select(*_taken_apart(table))), rows)
    elif rows:
        connection.execute(_adding(table, sqlite.insert(table)), list(rows))


def _send(connection: Connection, statement: Insert, rows: Sequence[dict[str, Any]]) -> None:
    """Send all rows at once."""
    connection.execute(statement, {"rows": _encoder.encode(rows).decode()})


def _adding(table: Table, statement: Any) -> Any:
    """Let an insertion add to rows that are there."""
    added = [each for each in table.columns if not each.primary_key]
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key.columns),
        set_={each.name: each + statement.excluded[each.name] for each in added},
    )


@cache
def _taken_apart(table: Table) -> tuple[list[str], Any]:
    """Select the rows of a table out of a JSON text, bound as ``rows``."""
    names = table.columns.keys()
    # Bytes travel as msgspec writes them, in Base64.
    parts = [column(each.name, Text() if _is_binary(each) else each.type) for each in table.columns]
    as_json = cast(bindparam("rows", type_=Text()), JSON)
    rows = func.json_to_recordset(as_json).table_valued(*parts, name="given").render_derived(with_types=True)
    chosen = [
        func.decode(rows.c[each.name], "base64") if _is_binary(each) else rows.c[each.name] for each in table.columns
    ]
    return names, select(*chosen)


def _is_binary(each: Column[Any]) -> bool:
    """Tell whether a column holds bytes."""
    return isinstance(each.type, LargeBinary)
