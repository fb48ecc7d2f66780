"""The audit trail: who did what to models and records, and when. It is append-only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from app.db import tables
from app.metrics.records import EVENTS


@dataclass(frozen=True)
class Event:
    """An entry of the audit trail.

    Parameters
    ----------
    at
        The time, in seconds since 1970.
    who
        ``user@host``, or ``unknown``.
    what
        One of ``EVENTS``.
    before, after
        Model versions before and after a change; empty where that has no meaning.
    note
        Further details, in words.
    """

    at: float
    who: str
    what: str
    before: str = ""
    after: str = ""
    note: str = ""


def add_event(
    connection: Connection,
    who: str,
    what: str,
    before: str = "",
    after: str = "",
    note: str = "",
    at: float | None = None,
) -> bool:
    """Add an event within the connection's transaction.

    Several recorders may report the same promotion: events equal in ``at``, ``what``, ``before`` and ``after`` are one.

    Parameters
    ----------
    connection
        To a database whose tables are up to date.
    who, what, before, after, note
        As in :class:`Event`.
    at
        Seconds since 1970; by default now.

    Returns
    -------
    Whether the event is new.
    """
    assert what in EVENTS, what
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    timestamp = time.time() if at is None else at
    row = {"at": timestamp, "who": who, "what": what, "before": before, "after": after, "note": note}
    return connection.execute(insert(tables.EVENTS).values(row).on_conflict_do_nothing()).rowcount > 0


def read_events(
    connection: Connection, since: float | None = None, until: float | None = None, what: tuple[str, ...] = EVENTS
) -> Iterator[Event]:
    """Read events, oldest first.

    Parameters
    ----------
    connection
        To a database whose tables are up to date.
    since, until
        Start, and end (exclusive), in seconds since 1970; None for no limit.
    what
        The kinds of events to read.
    """
    columns = tables.EVENTS.c
    statement = select(columns.at, columns.who, columns.what, columns.before, columns.after, columns.note)
    statement = statement.where(columns.what.in_(what)).order_by(columns.at, columns.id)
    if since is not None:
        statement = statement.where(columns.at >= since)
    if until is not None:
        statement = statement.where(columns.at < until)
    for row in connection.execute(statement):
        yield Event(*row)


def read_last_events(connection: Connection, n: int) -> list[Event]:
    """Read the newest events, at most ``n``, the newest first."""
    columns = tables.EVENTS.c
    statement = select(columns.at, columns.who, columns.what, columns.before, columns.after, columns.note)
    return [Event(*row) for row in connection.execute(statement.order_by(columns.id.desc()).limit(n))]
