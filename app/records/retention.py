"""Deletes records with their labels and audits, in small steps so that writers need not wait."""

from __future__ import annotations

import logging
import socket
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, fields

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, select, update

from app.db.ids import first_id_at, time_of_id
from app.db.tables import AUDIT_ROUNDS, AUDITS, EVENTS, LABELS, MINUTE_COUNTS, NOTES, PENDING_LABELS, PREDICTIONS
from app.errors import count_of
from app.metrics.records import PURGE
from app.model.forest import OUTLIER
from app.records.events import add_event
from app.records.retention_clock import TOLERATED_LAG_SECONDS, RetentionClock
from app.records.timestamps import SECONDS_PER_DAY, SECONDS_PER_MINUTE, format_date

log = logging.getLogger(__name__)

# A step takes some milliseconds, during which rows are pending in the recorder's memory.
STEP_ROWS = STEP_RECORDS = 1000


@dataclass(frozen=True)
class Deleted:
    """How much was deleted.

    Examples
    --------
    >>> str(Deleted(rows=2, labels=1) + Deleted(rows=1))
    '3 rows, 1 label, 0 pending labels, 0 audits, 0 notes'
    """

    rows: int = 0
    labels: int = 0
    pending_labels: int = 0
    audits: int = 0
    notes: int = 0

    def __add__(self, other: Deleted) -> Deleted:
        """Add the counts of two steps."""
        return Deleted(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})

    def __bool__(self) -> bool:
        """Return whether anything was deleted."""
        return self != Deleted()

    def __str__(self) -> str:
        """Return the counts in words."""
        return ", ".join(
            count_of(number, each.name.replace("_", " ").removesuffix("s"))
            for each in fields(self)
            for number in [getattr(self, each.name)]
        )


def count_before(connection: Connection, limit: str) -> int:
    """Count the rows of records whose id is below a limit."""
    return connection.scalar(select(func.count()).where(PREDICTIONS.c.record_id < limit)) or 0


def delete_oldest(connection: Connection, limit: str) -> Deleted:
    """Delete the oldest records below a limit: at most ``STEP_ROWS`` rows, plus the rest of the last request.

    Counts by minute and the hand-outs from before go with them; counts by hour stay.

    Parameters
    ----------
    connection
        In a transaction.
    limit
        A record id, from ``first_id_at``.

    Returns
    -------
    What was deleted: fewer than ``STEP_ROWS`` rows when nothing is left below the limit.
    """
    ids = PREDICTIONS.c.record_id
    # Ids sort by time, so the oldest records are at the start of the primary key.
    in_order = select(ids).where(ids < limit).order_by(ids, PREDICTIONS.c.row)
    last = connection.scalar(in_order.limit(1).offset(STEP_ROWS - 1))
    rows, labels, audits, notes = (
        _delete(connection, table, table.c.record_id < limit if last is None else table.c.record_id <= last)
        for table in (PREDICTIONS, LABELS, AUDITS, NOTES)
    )
    end = time_of_id(last or limit)
    # Whole minutes only: later records of the last one are still there.
    _delete(connection, MINUTE_COUNTS, MINUTE_COUNTS.c.minute <= end - SECONDS_PER_MINUTE)
    # A hand-out says something about the rows before it only.
    _delete(connection, AUDIT_ROUNDS, AUDIT_ROUNDS.c.at < end)
    return Deleted(rows=rows, labels=labels, audits=audits, notes=notes)


def delete_pending_labels(connection: Connection, given_before: float) -> Deleted:
    """Delete pending labels that were given before a timestamp, in seconds since 1970."""
    return Deleted(pending_labels=_delete(connection, PENDING_LABELS, PENDING_LABELS.c.given_at < given_before))


def find_records(connection: Connection, given_id: str, limit: int) -> list[str]:
    """Return the ids of the records with a request id or record id, at most ``limit`` of them."""
    ids = PREDICTIONS.c.record_id
    # Each uses its own index; with OR, some databases would read the whole table.
    by_record = connection.scalars(select(ids).where(ids == given_id).limit(1)).all()
    by_request = connection.scalars(
        select(ids).where(PREDICTIONS.c.request_id == given_id).order_by(ids).distinct().limit(limit)
    ).all()
    return [*by_record, *by_request][:limit]


def delete_records(connection: Connection, given_id: str, record_ids: Collection[str]) -> Deleted:
    """Delete records with their labels and audits, and the pending labels of an id.

    Parameters
    ----------
    connection
        In a transaction.
    given_id
        The request id or record id that a person entered.
    record_ids
        What :func:`find_records` returned for it.
    """
    names = {given_id, *record_ids}
    _take_out_of_minutes(connection, names)
    rows, labels, audits, notes = (
        _delete(connection, table, table.c.record_id.in_(names)) for table in (PREDICTIONS, LABELS, AUDITS, NOTES)
    )
    pending = _delete(connection, PENDING_LABELS, PENDING_LABELS.c.request_id.in_(names))
    return Deleted(rows, labels, pending, audits, notes)


def _take_out_of_minutes(connection: Connection, record_ids: Collection[str]) -> None:
    """Subtract records from the counts by minute, which would otherwise show when a single request came."""
    of_records = select(PREDICTIONS.c.answered_at, PREDICTIONS.c.is_inlier).where(
        PREDICTIONS.c.record_id.in_(record_ids)
    )
    rows: Counter[int] = Counter()
    outliers: Counter[int] = Counter()
    for answered_at, is_inlier in connection.execute(of_records):
        minute = int(answered_at) // SECONDS_PER_MINUTE * SECONDS_PER_MINUTE
        rows[minute] += 1
        outliers[minute] += is_inlier == OUTLIER
    count = MINUTE_COUNTS.c
    for minute, n_rows in rows.items():
        less = {"n_rows": count.n_rows - n_rows, "n_outliers": count.n_outliers - outliers[minute]}
        connection.execute(update(MINUTE_COUNTS).where(count.minute == minute).values(less))
    _delete(connection, MINUTE_COUNTS, and_(count.minute.in_(rows), count.n_rows <= 0))


def _delete(connection: Connection, table: Table, condition: ColumnElement[bool]) -> int:
    """Delete rows of a table and return their number."""
    return connection.execute(delete(table).where(condition)).rowcount


class Retention:
    """Deletes records that are older than the retention period.

    Parameters
    ----------
    days
        The retention period.

    Attributes
    ----------
    clock
        Measures the age of records, also if the machine's clock is wrong.
    """

    def __init__(self, days: int) -> None:
        self.clock = RetentionClock()
        self._days, self._seconds = days, days * SECONDS_PER_DAY
        self._is_held_back = False
        # No person ran a command: the audit trail names the setting and the machine.
        self._who = f"RECORD_RETENTION_DAYS={days} of {socket.gethostname()}"

    def purge_step(self, connection: Connection) -> int:
        """Delete the oldest expired rows, at most ``STEP_ROWS`` plus the rest of the last request.

        Labels and audits of a row are deleted with it; the hourly counts stay. The first deletion of a day is an event.

        Returns
        -------
        The number of deleted rows; fewer than ``STEP_ROWS`` when no expired row is left.
        """
        now = self.clock.read(connection)
        deleted = delete_oldest(connection, first_id_at(now - self._seconds))
        if deleted:
            self._add_daily_event(connection, now // SECONDS_PER_DAY * SECONDS_PER_DAY)
        if deleted.rows < STEP_ROWS:
            self._report_lag(connection, time.time() - now)
        return deleted.rows

    def _report_lag(self, connection: Connection, seconds: float) -> None:
        """Log once that records stay which only the machine's clock calls old, ``seconds`` ahead of retention's."""
        was_held_back, self._is_held_back = self._is_held_back, False
        if seconds < TOLERATED_LAG_SECONDS:
            return
        limit = first_id_at(time.time() - self._seconds)
        self._is_held_back = bool(connection.scalar(select(exists().where(PREDICTIONS.c.record_id < limit))))
        if self._is_held_back and not was_held_back:
            log.warning(
                "records that are older than RECORD_RETENTION_DAYS=%d by this machine's clock are not purged yet: the "
                "clock is %.1f days ahead of the time that passed while records were written. If it is right, because "
                "no service ran, run `python -m app.records purge --before %dd --force`; they are otherwise purged "
                "twice as fast as time passes. If it is wrong, set it.",
                self._days,
                seconds / SECONDS_PER_DAY,
                self._days,
            )

    def _add_daily_event(self, connection: Connection, midnight: float) -> None:
        """Add the event of a UTC day, unless it exists; all recorders date it at midnight, so there is only one."""
        event = EVENTS.c
        # Checked first, as an insertion that conflicts would use up an id each time.
        if connection.scalar(select(exists().where(event.at == midnight, event.what == PURGE, event.before == ""))):
            return
        day = format_date(midnight - self._seconds)
        add_event(connection, self._who, PURGE, after=day, note=f"all records before {day}", at=midnight)
