"""Lets labels that came before their record count, once it is written."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select

from app.records.labels import GivenLabel, keep_labels
from app.records.lookup import RowName, find_rows
from app.records.tables import WAITING_LABELS
from app.records.waiting_labels import stop_waiting

# A transaction of some ten milliseconds; the rest has its turn a second later.
_AT_A_TIME = 500

# A record is written within a second, or after the database was away; later than this it never will be.
_GIVEN_UP_AFTER_SECONDS = 3600.0


@dataclass(frozen=True)
class SettledLabel:
    """A label that found its record.

    Parameters
    ----------
    predicted, label
        What the model and the caller say: 1 inlier, -1 outlier.
    age_seconds
        From the answer to the label.
    """

    predicted: int
    label: int
    age_seconds: float


def count_waiting_labels(connection: Connection) -> int:
    """Count the labels that wait."""
    return connection.scalar(select(func.count()).select_from(WAITING_LABELS)) or 0


def settle_labels(connection: Connection, now: float) -> tuple[list[SettledLabel], int]:
    """Let labels count whose record is there by now, and drop those that have waited in vain for an hour.

    Parameters
    ----------
    connection
        In a transaction of :func:`app.records.write_transaction.write_transaction`.
    now
        Seconds since 1970.

    Returns
    -------
    The labels that are new, and the number of those dropped.
    """
    # The newest, as those that never find their record must not stand in the way of others; in the order of giving.
    newest = select(WAITING_LABELS).order_by(WAITING_LABELS.c.id.desc()).limit(_AT_A_TIME).subquery()
    lines = connection.execute(select(newest).order_by(newest.c.id)).mappings()
    waiting = {line["id"]: GivenLabel(*(line[name] for name in GivenLabel.__dataclass_fields__)) for line in lines}
    found = find_rows(connection, [RowName(label.request_id, label.row) for label in waiting.values()])
    ready = [number for number, label in waiting.items() if RowName(label.request_id, label.row) in found]
    # A worker may just have taken one out itself.
    ours = stop_waiting(connection, ready)
    labels = [(found[RowName(waiting[n].request_id, waiting[n].row)], waiting[n]) for n in ready if n in ours]
    kept = keep_labels(connection, labels)
    settled = [
        SettledLabel(row.is_inlier, label.is_inlier, label.given_at - row.answered_at)
        for (row, label), is_new in zip(labels, kept, strict=True)
        if is_new
    ]
    is_old = WAITING_LABELS.c.given_at < now - _GIVEN_UP_AFTER_SECONDS
    return settled, connection.execute(delete(WAITING_LABELS).where(is_old)).rowcount
