"""Hands out the answers that were drawn for labelling, each to one caller at a time.

How many rows wait in the audit queue for a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Exists, Row, Select, and_, exists, func, select, update

from app.db.engine import write_transaction
from app.db.tables import AUDITS, LABELS, PREDICTIONS
from app.records.lookup import RecordKey, wanted_keys
from app.records.recorded_answer import name_features, read_feature_names

# Whoever has had a row for so long without labelling it has gone home; others get it then.
HANDED_FOR_SECONDS = 3600.0


@dataclass(frozen=True)
class AuditRow:
    """A row to label. What the model said of it is left out, so that it does not sway whoever labels.

    Parameters
    ----------
    key
        Names the row.
    answered_at
        Seconds since 1970.
    segment
        Empty if the caller named none.
    features
        The numbers by name; None if they were not recorded.
    """

    key: RecordKey
    answered_at: float
    segment: str
    features: dict[str, float] | None


def hand_out(engine: Engine, most: int, now: float) -> list[AuditRow]:
    """Hand out rows that nobody else has, and note that they were handed out.

    Rows come in their random order. Those that turn out to be labelled are passed, and count as handed out: which rows
    are judged must not hang on what somebody noticed by himself. When all were handed out, those come again that were
    not labelled within an hour.

    Parameters
    ----------
    engine
        The database of records.
    most
        How many at most.
    now
        Seconds since 1970.
    """
    with write_transaction(engine) as connection:
        rows = connection.execute(_never_handed_out(most)).all()
        _pass_labelled(connection, rows[-1].position if len(rows) == most else None, now)
        _note(connection, rows, now)
        if len(rows) < most:
            again = connection.execute(_handed_out_in_vain(now - HANDED_FOR_SECONDS, most - len(rows))).all()
            _note(connection, again, now)
            rows = [*rows, *again]
        names = read_feature_names(connection, {row.model_version for row in rows})
    return [
        AuditRow(
            RecordKey(row.record_id, row.row_number),
            row.answered_at,
            row.segment,
            name_features(row.features, names.get(row.model_version)),
        )
        for row in rows
    ]


def _never_handed_out(most: int) -> Select[Any]:
    """Select the first rows that are neither handed out nor labelled."""
    return _unlabelled().where(AUDITS.c.handed_at.is_(None)).order_by(AUDITS.c.position).limit(most)


def _handed_out_in_vain(before: float, most: int) -> Select[Any]:
    """Select rows that were handed out before a moment and not labelled since, the longest first."""
    longest_first = _unlabelled().order_by(AUDITS.c.handed_at, AUDITS.c.position)
    return longest_first.where(AUDITS.c.handed_at < before).limit(most)


def _unlabelled() -> Select[Any]:
    """Select rows without a label, passing those that another caller is just getting."""
    same_row = and_(PREDICTIONS.c.record_id == AUDITS.c.record_id, PREDICTIONS.c.row == AUDITS.c.row)
    answer = PREDICTIONS.c
    return (
        select(
            AUDITS.c.record_id,
            AUDITS.c.row.label("row_number"),
            AUDITS.c.position,
            answer.answered_at,
            answer.segment,
            answer.model_version,
            answer.features,
        )
        .select_from(AUDITS.join(PREDICTIONS, same_row))
        .where(~_is_labelled())
        .with_for_update(of=AUDITS, skip_locked=True)
    )


def _is_labelled() -> Exists:
    """Tell whether a drawn row has a label."""
    label = LABELS.c
    return exists().where(label.record_id == AUDITS.c.record_id, label.row == AUDITS.c.row, label.replaced_at.is_(None))


def _pass_labelled(connection: Connection, before_position: float | None, now: float) -> None:
    """Note labelled rows as handed out that stand before a place, or all of them."""
    passing = update(AUDITS).where(AUDITS.c.handed_at.is_(None), _is_labelled()).values(handed_at=now)
    if before_position is not None:
        passing = passing.where(AUDITS.c.position < before_position)
    connection.execute(passing)


def _note(connection: Connection, rows: Sequence[Row[Any]], now: float) -> None:
    """Note when rows were handed out."""
    if rows:
        wanted = wanted_keys([RecordKey(row.record_id, row.row_number) for row in rows])
        same_row = and_(wanted.c.record_id == AUDITS.c.record_id, wanted.c.row == AUDITS.c.row)
        connection.execute(update(AUDITS).where(same_row).values(handed_at=now))


# More than anybody labels in a month; counting on would look at every row that was ever drawn.
MOST_COUNTED = 10_000


def count_pending_audits(connection: Connection) -> int:
    """Count drawn rows without a label, handed out or not; ``MOST_COUNTED`` stands for that many or more."""
    return connection.execute(pending_audits_query()).scalar_one()


def pending_audits_query() -> Select[int]:
    """Ask for them: it looks at the drawn rows that are labelled, and at so many others."""
    is_labelled = (
        select(LABELS.c.id)
        .where(LABELS.c.record_id == AUDITS.c.record_id, LABELS.c.row == AUDITS.c.row, LABELS.c.replaced_at.is_(None))
        .exists()
    )
    waiting = select(AUDITS.c.row).where(~is_labelled).limit(MOST_COUNTED).subquery()
    return select(func.count()).select_from(waiting)
