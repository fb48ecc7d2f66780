"""Labels that came before the record they are about: settled once it is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from app.records.tables import LABELS, PREDICTIONS, WAITING_LABELS

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


def settle_waiting_labels(connection: Connection) -> list[SettledLabel]:
    """Move labels whose record is there by now to the labels that count, in the order in which they were given."""
    return list(_settle(connection))


def drop_old_waiting_labels(connection: Connection, now: float) -> int:
    """Remove labels that have waited in vain, and tell how many there were."""
    is_old = WAITING_LABELS.c.given_at < now - _GIVEN_UP_AFTER_SECONDS
    return connection.execute(delete(WAITING_LABELS).where(is_old)).rowcount


def _settle(connection: Connection) -> Iterator[SettledLabel]:
    """Settle one after the other, those that a record is found for."""
    waiting = WAITING_LABELS.c
    # By either id; of a request id that came twice, the first record counts.
    first_record = (
        select(func.min(PREDICTIONS.c.record_id))
        .where(PREDICTIONS.c.request_id == waiting.request_id)
        .scalar_subquery()
    )
    own_record = (
        select(func.min(PREDICTIONS.c.record_id)).where(PREDICTIONS.c.record_id == waiting.request_id).scalar_subquery()
    )
    found = select(WAITING_LABELS, func.coalesce(own_record, first_record).label("record_id")).subquery()
    known = (
        select(found, PREDICTIONS.c.is_inlier.label("predicted"), PREDICTIONS.c.answered_at)
        .join_from(
            found, PREDICTIONS, (PREDICTIONS.c.record_id == found.c.record_id) & (PREDICTIONS.c.row == found.c.row)
        )
        .order_by(found.c.id)
        .limit(_AT_A_TIME)
    )
    for label in connection.execute(known).all():
        # A worker, or another recorder, may have been faster.
        if connection.execute(delete(WAITING_LABELS).where(waiting.id == label.id)).rowcount:
            _let_count(connection, label)
            yield SettledLabel(label.predicted, label.is_inlier, max(0.0, label.given_at - label.answered_at))


def _let_count(connection: Connection, label: Row[Any]) -> None:
    """Put a label in place of the one that counted; the same once more changes nothing."""
    labels = LABELS.c
    is_current = (labels.record_id == label.record_id) & (labels.row == label.row) & labels.replaced_at.is_(None)
    if connection.scalar(select(labels.is_inlier).where(is_current)) == label.is_inlier:
        return
    connection.execute(update(LABELS).where(is_current).values(replaced_at=label.given_at))
    copied = {name: getattr(label, name) for name in ("record_id", "row", "is_inlier", "source", "note", "given_at")}
    connection.execute(insert(LABELS).values(copied))
