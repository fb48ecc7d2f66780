"""The audit trail: who did what to models and records, and when. Nothing in it is ever changed or removed."""

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
    """One event.

    Parameters
    ----------
    at
        When it was, in seconds since 1970.
    who
        ``user@host``, or ``unknown``.
    what
        One of ``EVENTS``.
    before, after
        What was changed into what: versions of a model; empty where that means nothing.
    note
        The rest, in words.
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
    """Add an event in the transaction that the connection is in.

    Several recorders may tell of one promotion: events equal in ``at``, ``what``, ``before`` and ``after`` are one.

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
    Whether it is new.
    """
    assert what in EVENTS, what
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    moment = time.time() if at is None else at
    row = {"at": moment, "who": who, "what": what, "before": before, "after": after, "note": note}
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
        From this moment on, and before that one, in seconds since 1970; without them, all.
    what
        The kinds of interest.
    """
    columns = tables.EVENTS.c
    chosen = select(columns.at, columns.who, columns.what, columns.before, columns.after, columns.note)
    chosen = chosen.where(columns.what.in_(what)).order_by(columns.at, columns.id)
    if since is not None:
        chosen = chosen.where(columns.at >= since)
    if until is not None:
        chosen = chosen.where(columns.at < until)
    for row in connection.execute(chosen):
        yield Event(*row)
