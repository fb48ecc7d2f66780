"""What a database of records holds, in a few figures that cost next to nothing to read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, select

from app.records.tables import LABELS, PREDICTIONS


@dataclass(frozen=True)
class Contents:
    """Figures of a database; times are seconds since 1970, 0 for none.

    Parameters
    ----------
    n_bytes
        Its size on disk.
    oldest
        When its oldest record was answered.
    last_label
        When its last label was given.
    """

    n_bytes: int
    oldest: float
    last_label: float


def read_contents(connection: Connection) -> Contents:
    """Read the figures."""
    ids = PREDICTIONS.c
    oldest = connection.scalar(select(ids.answered_at).order_by(ids.record_id, ids.row).limit(1))
    # Labels are only ever added, so the last one has the greatest number; their times have no index.
    last_label = connection.scalar(select(LABELS.c.given_at).order_by(LABELS.c.id.desc()).limit(1))
    return Contents(_size(connection), oldest or 0.0, last_label or 0.0)


def _size(connection: Connection) -> int:
    """Tell how much room the database takes, with what is not yet in its place."""
    if connection.dialect.name == "postgresql":
        return connection.scalar(select(func.pg_database_size(func.current_database()))) or 0
    file = connection.exec_driver_sql("PRAGMA database_list").one()[2]
    return sum(path.stat().st_size for path in (Path(file), Path(f"{file}-wal")) if path.exists())
