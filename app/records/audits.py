"""The audit queue: hands out rows that were drawn for labelling, each to one caller at a time, and counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Exists, Row, Select, and_, exists, func, select, update

from app.db.engine import write_transaction
from app.db.tables import AUDITS, LABELS, PREDICTIONS
from app.records.lookup import RecordKey, wanted_keys
from app.records.recorded_answer import name_features, read_feature_names

# A row that was handed out this long ago and has no label is handed out again.
_LEASE_SECONDS = 3600.0

# More than anybody labels in a month; to count further, every row that was ever drawn would be read.
MAX_COUNT = 10_000


@dataclass(frozen=True)
class AuditRow:
    """A row to label, without the model's answer, which could bias the label.

    Parameters
    ----------
    key
        The key of the row.
    answered_at
        Seconds since 1970.
    segment
        Empty if the caller named none.
    features
        The values by feature name; None if they were not recorded.
    """

    key: RecordKey
    answered_at: float
    segment: str
    features: dict[str, float] | None


def hand_out(engine: Engine, max_rows: int, now: float) -> list[AuditRow]:
    """Hand out rows that nobody else has, and record that they were handed out.

    Rows come in the queue's random order. Rows with a label are skipped and count as handed out: which rows are
    labelled must not depend on what somebody noticed without the queue. When all rows were handed out, those without a
    label after an hour come again.

    Parameters
    ----------
    engine
        The database of records.
    max_rows
        How many rows to hand out at most.
    now
        Seconds since 1970.
    """
    with write_transaction(engine) as connection:
        rows = connection.execute(_locked(_never_handed_out(max_rows))).all()
        _skip_labelled(connection, rows[-1].position if len(rows) == max_rows else None, now)
        _mark_handed_out(connection, rows, now)
        if len(rows) < max_rows:
            again = connection.execute(_locked(_expired(now - _LEASE_SECONDS, max_rows - len(rows)))).all()
            _mark_handed_out(connection, again, now)
            rows = [*rows, *again]
        return _describe(connection, rows)


def preview(engine: Engine, max_rows: int, now: float) -> list[AuditRow]:
    """Return the rows that :func:`hand_out` would hand out, and change nothing."""
    with engine.connect() as connection:
        rows = connection.execute(_never_handed_out(max_rows)).all()
        again = connection.execute(_expired(now - _LEASE_SECONDS, max_rows - len(rows))).all()
        return _describe(connection, [*rows, *again])


def _describe(connection: Connection, rows: Sequence[Row[Any]]) -> list[AuditRow]:
    """Return selected rows with the names of their features."""
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


def _never_handed_out(max_rows: int) -> Select[Any]:
    """Select the first rows that are neither handed out nor labelled."""
    return _unlabelled().where(AUDITS.c.handed_at.is_(None)).order_by(AUDITS.c.position).limit(max_rows)


def _expired(before: float, max_rows: int) -> Select[Any]:
    """Select rows that were handed out before a time and are not labelled, the longest first."""
    longest_first = _unlabelled().order_by(AUDITS.c.handed_at, AUDITS.c.position)
    return longest_first.where(AUDITS.c.handed_at < before).limit(max_rows)


def _unlabelled() -> Select[Any]:
    """Select rows without a label."""
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
    )


def _locked(statement: Select[Any]) -> Select[Any]:
    """Lock the selected rows, and skip those that another caller is getting at this moment."""
    return statement.with_for_update(of=AUDITS, skip_locked=True)


def _is_labelled() -> Exists:
    """Return the condition that a drawn row has a label."""
    label = LABELS.c
    return exists().where(label.record_id == AUDITS.c.record_id, label.row == AUDITS.c.row, label.replaced_at.is_(None))


def _skip_labelled(connection: Connection, before_position: float | None, now: float) -> None:
    """Mark labelled rows before a position as handed out, or all of them."""
    statement = update(AUDITS).where(AUDITS.c.handed_at.is_(None), _is_labelled()).values(handed_at=now)
    if before_position is not None:
        statement = statement.where(AUDITS.c.position < before_position)
    connection.execute(statement)


def _mark_handed_out(connection: Connection, rows: Sequence[Row[Any]], now: float) -> None:
    """Record when rows were handed out."""
    if rows:
        wanted = wanted_keys([RecordKey(row.record_id, row.row_number) for row in rows])
        same_row = and_(wanted.c.record_id == AUDITS.c.record_id, wanted.c.row == AUDITS.c.row)
        connection.execute(update(AUDITS).where(same_row).values(handed_at=now))


def count_pending_audits(connection: Connection) -> int:
    """Count drawn rows without a label, handed out or not; ``MAX_COUNT`` stands for that many or more."""
    return connection.execute(pending_audits_query()).scalar_one()


def pending_audits_query() -> Select[int]:
    """Return the query: it reads the drawn rows that are labelled, and at most ``MAX_COUNT`` others."""
    pending = select(AUDITS.c.row).where(~_is_labelled()).limit(MAX_COUNT).subquery()
    return select(func.count()).select_from(pending)
