"""Deletes records with everything that is known of them, a step at a time, so that writers need not wait."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from app.records.tables import AUDITS, LABELS, PREDICTIONS, WAITING_LABELS

# A step takes some milliseconds, for which rows wait in the recorder's memory.
STEP_RECORDS = 1000


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


def delete_oldest(connection: Connection, limit: str) -> Deleted | None:
    """Delete the oldest records below a limit, at most a step's.

    Parameters
    ----------
    connection
        In a transaction.
    limit
        A record id, as ``first_id_at`` makes it.

    Returns
    -------
    What was deleted; None when nothing is left.
    """
    tables = (PREDICTIONS, LABELS, AUDITS)
    # Labels and audits may be older than any record: who labelled what had been purged meanwhile.
    ends = [_find_end_of_step(connection, table, limit) for table in tables]
    end = min((end for end in ends if end), default=None)
    if end is None:
        return None
    rows, labels, audits = (_delete(connection, table, table.c.record_id <= end) for table in tables)
    return Deleted(rows=rows, labels=labels, audits=audits)


def delete_waiting_labels(connection: Connection, given_before: float) -> Deleted:
    """Delete labels that wait for a record since before a moment, in seconds since 1970."""
    return Deleted(waiting_labels=_delete(connection, WAITING_LABELS, WAITING_LABELS.c.given_at < given_before))


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
    waiting = _delete(connection, WAITING_LABELS, WAITING_LABELS.c.request_id.in_(names))
    return Deleted(rows, labels, waiting, audits)


def _find_end_of_step(connection: Connection, table: Table, limit: str) -> str | None:
    """Find up to which record a step goes; None if a table has nothing below the limit."""
    ids = table.c.record_id
    below = select(ids).where(ids < limit).order_by(ids)
    step = below.limit(STEP_RECORDS).subquery()
    end: str | None = connection.scalar(select(func.max(step.c.record_id)))
    return end


def _delete(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    """Delete rows of a table and count them."""
    return connection.execute(delete(table).where(condition)).rowcount
