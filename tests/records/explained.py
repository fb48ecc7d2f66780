"""Query plans of a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event, text


@contextmanager
def explaining(engine: Engine) -> Iterator[list[str]]:
    """Collect the query plans of all statements in the block, before they run.

    PostgreSQL takes an index for a small table only where it is forbidden to read the whole.
    """
    steps: list[str] = []
    is_sqlite = engine.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if is_sqlite else "EXPLAIN "

    def look(connection, cursor, statement, parameters, context, executemany):
        if statement.lstrip().startswith(("SELECT", "WITH", "UPDATE", "DELETE")):
            if not is_sqlite:
                cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(explain + statement, parameters)
            steps.extend(str(row[-1]) for row in cursor.fetchall())

    event.listen(engine, "before_cursor_execute", look)
    try:
        yield steps
    finally:
        event.remove(engine, "before_cursor_execute", look)


def count_rows(engine: Engine, table: str) -> int:
    """Count the rows of a table."""
    with engine.connect() as connection:
        counted: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar()
        return counted
