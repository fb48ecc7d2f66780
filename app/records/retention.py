"""Removes records that are older than they are kept, with all that is known of them, in small steps.

Deletes records with everything that is known of them, a step at a time, so that writers need not wait.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Collection
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, select

from app.db.ids import first_id_at
from app.db.tables import AUDITS, EVENTS, LABELS, PENDING_LABELS, PREDICTIONS
from app.metrics.records import PURGE
from app.records.events import add_event
from app.records.timestamps import SECONDS_PER_DAY, format_date

# A step takes some milliseconds, for which rows wait in the recorder's memory.
STEP_ROWS = STEP_RECORDS = 1000


@dataclass(frozen=True)
class Deleted:
    """How much was deleted.

    Examples
    --------
    >>> str(Deleted(rows=2, labels=1) + Deleted(rows=1))
    '3 rows, 1 label, 0 waiting labels, 0 audits'
    """

    rows: int = 0
    labels: int = 0
    waiting_labels: int = 0
    audits: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        """Add up two steps."""
        return Deleted(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})

    def __bool__(self) -> bool:
        """Tell whether it is anything at all."""
        return self != Deleted()

    def __str__(self) -> str:
        """Say it in words."""
        return ", ".join(
            f"{number:,} {each.name.replace('_', ' ').removesuffix('s')}{'' if number == 1 else 's'}"
            for each in fields(self)
            for number in [getattr(self, each.name)]
        )


def count_before(connection: Connection, limit: str) -> int:
    """Count the rows of records whose id is below a limit."""
    return connection.scalar(select(func.count()).where(PREDICTIONS.c.record_id < limit)) or 0


def delete_oldest(connection: Connection, limit: str) -> Deleted:
    """Delete the oldest records below a limit: at most ``STEP_ROWS`` rows, and the rest of a request.

    Parameters
    ----------
    connection
        In a transaction.
    limit
        A record id, as ``first_id_at`` makes it.

    Returns
    -------
    What was deleted; of fewer than ``STEP_ROWS`` rows when nothing is left below the limit.
    """
    ids = PREDICTIONS.c.record_id
    # Ids are in the order of time: what is too old is the beginning of the primary key.
    in_order = select(ids).where(ids < limit).order_by(ids, PREDICTIONS.c.row)
    last = connection.scalar(in_order.limit(1).offset(STEP_ROWS - 1))
    rows, labels, audits = (
        _delete(connection, table, table.c.record_id < limit if last is None else table.c.record_id <= last)
        for table in (PREDICTIONS, LABELS, AUDITS)
    )
    return Deleted(rows=rows, labels=labels, audits=audits)


def delete_pending_labels(connection: Connection, given_before: float) -> Deleted:
    """Delete labels that wait for a record since before a moment, in seconds since 1970."""
    return Deleted(waiting_labels=_delete(connection, PENDING_LABELS, PENDING_LABELS.c.given_at < given_before))


def find_records(connection: Connection, given_id: str, limit: int) -> list[str]:
    """Name the records of a request id, or the one of a record id, at most ``limit`` of them."""
    ids = PREDICTIONS.c.record_id
    # Each by its own index; OR over both would make some databases read the whole table.
    by_record = connection.scalars(select(ids).where(ids == given_id).limit(1)).all()
    by_request = connection.scalars(
        select(ids).where(PREDICTIONS.c.request_id == given_id).order_by(ids).distinct().limit(limit)
    ).all()
    return [*by_record, *by_request][:limit]


def delete_records(connection: Connection, given_id: str, record_ids: Collection[str]) -> Deleted:
    """Delete records, and what is known or waits under an id that a person gave.

    Parameters
    ----------
    connection
        In a transaction.
    given_id
        A request id or a record id.
    record_ids
        What :func:`find_records` found for it.
    """
    names = {given_id, *record_ids}
    rows, labels, audits = (
        _delete(connection, table, table.c.record_id.in_(names)) for table in (PREDICTIONS, LABELS, AUDITS)
    )
    waiting = _delete(connection, PENDING_LABELS, PENDING_LABELS.c.request_id.in_(names))
    return Deleted(rows, labels, waiting, audits)


def _delete(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    """Delete rows of a table and count them."""
    return connection.execute(delete(table).where(condition)).rowcount


class Retention:
    """Tells what is too old, and removes it.

    Parameters
    ----------
    days
        For how long records are kept.
    """

    def __init__(self, days: int) -> None:
        self._seconds = days * SECONDS_PER_DAY
        # Nobody typed a command: a setting did it, and the machine that has it.
        self._who = f"RECORD_RETENTION_DAYS={days} of {socket.gethostname()}"

    def purge_step(self, connection: Connection) -> int:
        """Remove the oldest rows that are too old, at most ``STEP_ROWS`` and the rest of a request.

        Labels and draws of a removed row go with it; the hourly counts stay. The first removal of a day is an event.

        Returns
        -------
        int
            How many recorded rows were removed; fewer than ``STEP_ROWS`` when nothing else is too old.
        """
        now = time.time()
        deleted = delete_oldest(connection, first_id_at(now - self._seconds))
        if deleted:
            self._tell_of_day(connection, now // SECONDS_PER_DAY * SECONDS_PER_DAY)
        return deleted.rows

    def _tell_of_day(self, connection: Connection, midnight: float) -> None:
        """Write the event of a day in UTC, unless it is there: dated alike by all recorders, it is one."""
        event = EVENTS.c
        # Looked for first: an insertion that meets it would use up a number each time.
        if connection.scalar(select(exists().where(event.at == midnight, event.what == PURGE, event.before == ""))):
            return
        day = format_date(midnight - self._seconds)
        add_event(connection, self._who, PURGE, after=day, note=f"all records before {day}", at=midnight)
