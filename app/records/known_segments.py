"""The kinds of callers that are told apart: the first so many that came; all later ones are one."""

from __future__ import annotations

import time
from collections.abc import Iterable

from sqlalchemy import Connection, Engine, insert, select, text

from app.records.tables import SEGMENTS
from app.records.write_transaction import write_transaction

# What later segments are called; a caller that calls itself so is among them.
OTHER_SEGMENTS = "other"


class KnownSegments:
    """The segments that have a name of their own. The table remembers them over restarts.

    Parameters
    ----------
    most
        How many there are at most.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: frozenset[str] = frozenset()
        self._read_from: Engine | None = None

    def learn(self, engine: Engine, asked: Iterable[str]) -> None:
        """Give new segments a name of their own, as long as there is room."""
        if engine is not self._read_from:  # opened again, it may be another file, or one that was restored
            self._names = frozenset()
        # No segment is none of them.
        new = {name for name in asked if name} - self._names
        if engine is self._read_from and (not new or len(self._names) >= self._most):
            return
        with write_transaction(engine) as connection:
            _let_nobody_else_add(connection)
            names = set(connection.scalars(select(SEGMENTS.c.name)))
            room = max(0, self._most - len(names))
            # In a fixed order, so that two runs over the same rows give the same.
            added = sorted(new - names)[:room]
            if added:
                now = time.time()
                connection.execute(insert(SEGMENTS), [{"name": name, "first_seen_at": now} for name in added])
        self._names, self._read_from = frozenset(names.union(added)), engine

    def name(self, given: str) -> str:
        """Tell under which name a segment is recorded; empty stays empty."""
        return given if not given or given in self._names else OTHER_SEGMENTS


def _let_nobody_else_add(connection: Connection) -> None:
    """Wait for other recorders, so that together they do not add too many; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"LOCK TABLE {SEGMENTS.name} IN SHARE ROW EXCLUSIVE MODE"))
