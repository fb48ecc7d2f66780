"""The audit trail: who did what to models, records and labels, and when. It is append-only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.db import tables
from app.errors import count_of
from app.metrics.records import EVENTS
from app.records.timestamps import SECONDS_PER_HOUR

# What people say about rows. There may be thousands a day, so a person has one event an hour for each kind; the rows
# themselves are in the tables of labels and notes, with who said it.
LABELLING, NOTES, WITHDRAWALS = REMARKS = ("labels", "notes", "withdrawals")

# Without a key, nobody knows.
_UNKNOWN = "unknown"


@dataclass(frozen=True)
class Event:
    """An entry of the audit trail.

    Parameters
    ----------
    at
        The time, in seconds since 1970.
    who
        ``user@host``, the name of an API key, or ``unknown``.
    what
        One of ``EVENTS`` or ``REMARKS``.
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
    assert what in (*EVENTS, *REMARKS), what
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    timestamp = time.time() if at is None else at
    row = {"at": timestamp, "who": who, "what": what, "before": before, "after": after, "note": note}
    return connection.execute(insert(tables.EVENTS).values(row).on_conflict_do_nothing()).rowcount > 0


def count_remarks(connection: Connection, who: str | None, what: str, n_rows: int, now: float) -> None:
    """Add rows to a person's event of the current hour, within a transaction that writes.

    Parameters
    ----------
    connection
        In a transaction of :func:`app.db.engine.write_transaction`.
    who
        The name of the caller's API key; None if it has none.
    what
        One of ``REMARKS``.
    n_rows
        How many rows it is about; nothing happens for 0.
    now
        Seconds since 1970.
    """
    if n_rows == 0:
        return
    name, event = who or _UNKNOWN, tables.EVENTS.c
    hour = now // SECONDS_PER_HOUR * SECONDS_PER_HOUR
    of_hour = select(event.id, event.note).where(event.at >= hour, event.who == name, event.what == what)
    found = connection.execute(of_hour.limit(1).with_for_update()).first()
    if found is None:
        # Another person's event of the same time would be taken for a repetition.
        while not add_event(connection, name, what, note=count_of(n_rows, "row"), at=now):
            now += 1e-6
    else:
        n_before = int(found.note.split()[0].replace(",", ""))
        note = count_of(n_before + n_rows, "row")
        connection.execute(update(tables.EVENTS).where(event.id == found.id).values(note=note))


def read_events(
    connection: Connection,
    since: float | None = None,
    until: float | None = None,
    what: tuple[str, ...] = (*EVENTS, *REMARKS),
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


def read_last_events(connection: Connection, n: int, what: tuple[str, ...] = (*EVENTS, *REMARKS)) -> list[Event]:
    """Read the newest events of some kinds, at most ``n``, the newest first."""
    columns = tables.EVENTS.c
    statement = select(columns.at, columns.who, columns.what, columns.before, columns.after, columns.note)
    newest = statement.where(columns.what.in_(what)).order_by(columns.id.desc()).limit(n)
    return [Event(*row) for row in connection.execute(newest)]
