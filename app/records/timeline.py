"""Reads the counts of answers by the minute, in steps, for charts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from app.db.tables import HOURLY_COUNTS, MINUTE_COUNTS
from app.records.timestamps import SECONDS_PER_DAY, SECONDS_PER_HOUR

# With less, what is usual is a guess.
_MIN_HOURS, _USUAL_DAYS = 24, 7


@dataclass(frozen=True)
class Timeline:
    """Counts by step; all lists have an entry for each step, also for those without answers.

    Parameters
    ----------
    starts
        Of the steps, seconds since 1970.
    n_rows, n_outliers
        All rows, recorded or not, and the outliers among them.
    """

    starts: list[int]
    n_rows: list[int]
    n_outliers: list[int]


def read_timeline(connection: Connection, since: float, until: float, step: int) -> Timeline:
    """Read the counts of a time span.

    Parameters
    ----------
    connection
        To the database of records.
    since, until
        Seconds since 1970; the first step is the one that contains the start.
    step
        In seconds, a multiple of 60.
    """
    first, end = math.floor(since / step) * step, math.ceil(until / step) * step
    count = MINUTE_COUNTS.c
    start = (count.minute - count.minute % step).label("start")
    statement = (
        select(start, func.sum(count.n_rows), func.sum(count.n_outliers))
        .where(count.minute >= first, count.minute < end)
        .group_by("start")
    )
    found = {int(row[0]): (int(row[1]), int(row[2])) for row in connection.execute(statement)}
    starts = list(range(first, end, step))
    return Timeline(
        starts,
        [found.get(each, (0, 0))[0] for each in starts],
        [found.get(each, (0, 0))[1] for each in starts],
    )


@dataclass(frozen=True)
class RecentAlarms:
    """Alarms of the last hour, and what is usual.

    Parameters
    ----------
    n_rows, n_outliers
        In the last 60 minutes.
    usual_per_hour
        The mean of the last seven days; None with less than a day of answers.
    """

    n_rows: int
    n_outliers: int
    usual_per_hour: float | None


def read_recent_alarms(connection: Connection, now: float) -> RecentAlarms:
    """Read how many alarms the last hour had, compared with other hours."""
    hour = read_timeline(connection, now - SECONDS_PER_HOUR, now, 60)
    count = HOURLY_COUNTS.c
    before = now - SECONDS_PER_HOUR
    first, total = connection.execute(
        select(func.min(count.hour), func.sum(count.n_outliers)).where(
            count.hour >= now - _USUAL_DAYS * SECONDS_PER_DAY, count.hour < before
        )
    ).one()
    n_hours = 0.0 if first is None else (before - float(first)) / SECONDS_PER_HOUR
    usual = float(total) / n_hours if n_hours >= _MIN_HOURS else None
    return RecentAlarms(sum(hour.n_rows), sum(hour.n_outliers), usual)
