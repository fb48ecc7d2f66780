"""A transaction that writes, in SQLite as in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that will write; it is committed at the end, or undone by an exception.

    SQLite would begin by reading, and refuse the first write at once if another process has written meanwhile. So the
    only writer's place is taken at the start, for which SQLite waits.
    """
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
