"""What a database of records holds, in a few figures that cost next to nothing to read.

How many rows were answered, and how many of them as outliers: all of them, recorded or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Select, func, select

from app.db.tables import HOURLY_COUNTS, LABELS, PREDICTIONS
from app.records.timestamps import SECONDS_PER_DAY
from app.records.window import Window


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


@dataclass(frozen=True)
class AnswerCount:
    """The answers of one day, model version and segment.

    Parameters
    ----------
    day
        When it began, UTC; seconds since 1970.
    model_version, segment
        As recorded: the segment is empty if the caller named none.
    n_rows, n_outliers
        Of the day's hours within the window.
    """

    day: int
    model_version: str
    segment: str
    n_rows: int
    n_outliers: int


def read_counts(connection: Connection, window: Window) -> list[AnswerCount]:
    """Read the counts of a window; days, versions and segments without answers are not in it."""
    return [
        # PostgreSQL adds big integers up to decimals.
        AnswerCount(row.day, row.model_version, row.segment, int(row.n_rows), int(row.n_outliers))
        for row in connection.execute(counts_query(window))
    ]


def counts_query(window: Window) -> Select[int, str, str, int, int]:
    """Ask for the counts: one range of the primary key."""
    counts = HOURLY_COUNTS.c
    day = (counts.hour - counts.hour % SECONDS_PER_DAY).label("day")
    return (
        select(
            day,
            counts.model_version,
            counts.segment,
            func.sum(counts.n_rows).label("n_rows"),
            func.sum(counts.n_outliers).label("n_outliers"),
        )
        .where(counts.hour >= window.first_hour, counts.hour < window.end_hour)
        # By name: PostgreSQL takes the same expression with another parameter for another one.
        .group_by("day", counts.model_version, counts.segment)
        .order_by("day", counts.model_version, counts.segment)
    )
