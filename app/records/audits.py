"""The queues of rows to label, inliers and alarms: hands out rows, each to one caller at a time, and counts them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, Exists, Row, Select, and_, exists, func, insert, or_, select, update

from app.db.engine import write_transaction
from app.db.tables import AUDIT_ROUNDS, AUDITS, LABELS, PREDICTIONS
from app.model.forest import INLIER, OUTLIER
from app.records.lookup import RecordKey, wanted_keys
from app.records.recorded_answer import name_features, read_feature_names

# A row that was handed out this long ago and has no label is handed out again.
_LEASE_SECONDS = 3600.0

# Which rows a caller asks for: inliers, to find misses; alarms; half of each, without telling which is which; or rows
# that somebody else has labelled, to find wrong labels.
INLIERS, ALARMS, MIXED, SECOND = KINDS = ("inliers", "alarms", "mixed", "second")

_LABEL_OF: Final = {INLIERS: INLIER, ALARMS: OUTLIER}

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
    model_version
        Of the model that answered.
    segment
        Empty if the caller named none.
    features
        The values by feature name; None if they were not recorded.
    """

    key: RecordKey
    answered_at: float
    model_version: str
    segment: str
    features: dict[str, float] | None


def hand_out(
    engine: Engine, max_rows: int, now: float, kind: str = INLIERS, caller: str | None = None
) -> list[AuditRow]:
    """Hand out rows that nobody else has, and record that they were handed out.

    Rows come in their queue's random order. Rows with a label are skipped and count as handed out: which rows are
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
    kind
        One of :data:`KINDS`.
    caller
        The name of the caller's API key, which gets no row for a second label that has the first one from it; None if
        it has none.
    """
    with write_transaction(engine) as connection:
        if kind == SECOND:
            rows = connection.execute(_locked(_labelled_once(max_rows, caller))).all()
            _mark(connection, rows, checked_at=now)
            return _describe(connection, rows)
        rows = []
        for label, n_rows in _divide(kind, max_rows):
            # What one queue lacks, the next one has.
            rows += _hand_out_of(connection, label, min(n_rows, max_rows - len(rows)), now)
        if kind == MIXED:
            # The order must not tell which is which.
            rows.sort(key=lambda row: (row.record_id, row.row_number))
        return _describe(connection, rows)


def preview(engine: Engine, max_rows: int, now: float) -> list[AuditRow]:
    """Return the rows that :func:`hand_out` would hand out of the inliers, and change nothing."""
    with engine.connect() as connection:
        rows = connection.execute(_never_handed_out(INLIER, max_rows)).all()
        again = connection.execute(_expired(INLIER, now - _LEASE_SECONDS, max_rows - len(rows))).all()
        return _describe(connection, [*rows, *again])


def _divide(kind: str, max_rows: int) -> list[tuple[int, int]]:
    """Return the queues to take rows from, by predicted label, with the most rows from each."""
    if kind != MIXED:
        return [(_LABEL_OF[kind], max_rows)]
    # An odd row is of either kind: a caller who asks for one must not know which.
    n_alarms = (max_rows + random.getrandbits(1)) // 2
    return [(OUTLIER, n_alarms), (INLIER, max_rows), (OUTLIER, max_rows)]


def _hand_out_of(connection: Connection, label: int, max_rows: int, now: float) -> list[Row[Any]]:
    """Hand out rows of one queue."""
    if max_rows <= 0:
        return []
    found = connection.execute(_locked(_never_handed_out(label, max_rows + 1))).all()
    rows, reach = list(found[:max_rows]), found[max_rows].position if len(found) > max_rows else 1.0
    _skip_labelled(connection, label, reach, now)
    _mark(connection, rows, handed_at=now)
    if rows:
        connection.execute(insert(AUDIT_ROUNDS).values(at=now, is_inlier=label, reach=reach))
    if len(rows) < max_rows:
        expired = _expired(label, now - _LEASE_SECONDS, max_rows - len(rows))
        again = connection.execute(_locked(expired)).all()
        _mark(connection, again, handed_at=now)
        rows += again
    return rows


def _describe(connection: Connection, rows: Sequence[Row[Any]]) -> list[AuditRow]:
    """Return selected rows with the names of their features."""
    names = read_feature_names(connection, {row.model_version for row in rows})
    return [
        AuditRow(
            RecordKey(row.record_id, row.row_number),
            row.answered_at,
            row.model_version,
            row.segment,
            name_features(row.features, names.get(row.model_version)),
        )
        for row in rows
    ]


def _never_handed_out(label: int, max_rows: int) -> Select[Any]:
    """Select the first rows of a queue that are neither handed out nor labelled."""
    return _unlabelled(label).where(AUDITS.c.handed_at.is_(None)).order_by(AUDITS.c.position).limit(max_rows)


def _expired(label: int, before: float, max_rows: int) -> Select[Any]:
    """Select rows of a queue that were handed out before a time and are not labelled, the longest first."""
    longest_first = _unlabelled(label).order_by(AUDITS.c.handed_at, AUDITS.c.position)
    return longest_first.where(AUDITS.c.handed_at < before).limit(max_rows)


def _labelled_once(max_rows: int, caller: str | None) -> Select[Any]:
    """Select rows of both queues that were handed out and labelled, in random order, each for one second label."""
    by_other = _is_labelled().where(or_(LABELS.c.given_by.is_(None), LABELS.c.given_by != caller))
    return (
        _drawn()
        .where(AUDITS.c.handed_at.is_not(None), AUDITS.c.checked_at.is_(None))
        .where(by_other if caller is not None else _is_labelled())
        .order_by(AUDITS.c.position)
        .limit(max_rows)
    )


def _unlabelled(label: int) -> Select[Any]:
    """Select rows of a queue without a label."""
    return _drawn().where(AUDITS.c.is_inlier == label, ~_is_labelled())


def _drawn() -> Select[Any]:
    """Select rows of the queues."""
    same_row = and_(PREDICTIONS.c.record_id == AUDITS.c.record_id, PREDICTIONS.c.row == AUDITS.c.row)
    answer = PREDICTIONS.c
    return select(
        AUDITS.c.record_id,
        AUDITS.c.row.label("row_number"),
        AUDITS.c.position,
        answer.answered_at,
        answer.segment,
        answer.model_version,
        answer.features,
    ).select_from(AUDITS.join(PREDICTIONS, same_row))


def _locked(statement: Select[Any]) -> Select[Any]:
    """Lock the selected rows, and skip those that another caller is getting at this moment."""
    return statement.with_for_update(of=AUDITS, skip_locked=True)


def _is_labelled() -> Exists:
    """Return the condition that a drawn row has a label."""
    label = LABELS.c
    return exists().where(label.record_id == AUDITS.c.record_id, label.row == AUDITS.c.row, label.replaced_at.is_(None))


def _skip_labelled(connection: Connection, label: int, reach: float, now: float) -> None:
    """Mark labelled rows of a queue before a position as handed out."""
    reached = and_(AUDITS.c.is_inlier == label, AUDITS.c.position < reach, AUDITS.c.handed_at.is_(None))
    connection.execute(update(AUDITS).where(reached, _is_labelled()).values(handed_at=now))


def _mark(connection: Connection, rows: Sequence[Row[Any]], **times: float) -> None:
    """Record when rows were handed out."""
    if rows:
        wanted = wanted_keys([RecordKey(row.record_id, row.row_number) for row in rows])
        same_row = and_(wanted.c.record_id == AUDITS.c.record_id, wanted.c.row == AUDITS.c.row)
        connection.execute(update(AUDITS).where(same_row).values(**times))


def count_pending_audits(connection: Connection) -> int:
    """Count drawn inliers without a label, handed out or not; ``MAX_COUNT`` stands for that many or more."""
    return connection.execute(pending_audits_query()).scalar_one()


def pending_audits_query() -> Select[int]:
    """Return the query: it reads the drawn rows that are labelled, and at most ``MAX_COUNT`` others."""
    pending = select(AUDITS.c.row).where(AUDITS.c.is_inlier == INLIER, ~_is_labelled()).limit(MAX_COUNT).subquery()
    return select(func.count()).select_from(pending)
