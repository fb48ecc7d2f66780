"""How many rows were answered, and how many of them as outliers: all of them, recorded or not."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, Select, func, select

from app.records.tables import HOURLY_COUNTS
from app.records.window import SECONDS_OF_DAY, Window


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
    day = (counts.hour - counts.hour % SECONDS_OF_DAY).label("day")
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
