"""Lists recorded alarms, the newest first, with what people said about them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Tuple,
    and_,
    func,
    insert,
    literal_column,
    or_,
    select,
    tuple_,
)

from app.db.ids import first_id_at
from app.db.tables import LABELS, NOTES, PREDICTIONS
from app.model.forest import INLIER, OUTLIER
from app.records.lookup import RecordKey
from app.records.recorded_answer import name_features, read_feature_names, read_values

# What is known about an alarm, as a filter. "unsure": somebody looked at it and could not tell.
NO_LABEL, TRUE_ALARM, FALSE_ALARM, UNSURE = "none", "true", "false", "unsure"
KNOWN = (NO_LABEL, TRUE_ALARM, FALSE_ALARM, UNSURE)

# So many alarms are looked at for one page, in some 30 ms; if a rare filter finds less, the next page goes on.
_MAX_SCANNED = 2_000


@dataclass(frozen=True)
class AlarmFilter:
    """Which alarms to list; None stands for all.

    Parameters
    ----------
    since, until
        Start, and end (exclusive), in seconds since 1970.
    segment, model_version
        As recorded; the empty segment is that of callers that named none.
    known
        One of ``KNOWN``.
    reason
        A column that is among the reasons.
    min_score, max_score
        The lowest and the highest anomaly score.
    """

    since: float | None = None
    until: float | None = None
    segment: str | None = None
    model_version: str | None = None
    known: str | None = None
    reason: str | None = None
    min_score: float | None = None
    max_score: float | None = None


@dataclass(frozen=True)
class Remark:
    """What somebody said about a row, or its current label.

    Parameters
    ----------
    label
        1 inlier, -1 outlier; 0 for a note without a label.
    is_unsure
        Whether the person could not tell.
    note
        May be empty.
    given_at
        Seconds since 1970.
    given_by
        The name of an API key, or whom the label names as its source; None if unknown.
    """

    label: int
    is_unsure: bool
    note: str
    given_at: float
    given_by: str | None


@dataclass(frozen=True)
class Alarm:
    """A recorded outlier; fields are those of ``AnsweredRow`` and of its answer.

    ``values`` are the recorded numbers behind ``features``: a category is the number of its level, a missing value NaN.
    ``has_levels`` says which columns have levels; it is empty if the columns are unknown.
    """

    key: RecordKey
    answered_at: float
    model_version: str
    segment: str
    features: dict[str, Any] | None
    values: tuple[float, ...]
    has_levels: tuple[bool, ...]
    score: float
    confidence: float | None
    explanation: dict[str, Any] | None
    unfamiliar: dict[str, str] | None
    label: Remark | None
    note: Remark | None


# Not a parameter, or SQLite could not know that the index of alarms has all rows that are wanted.
IS_ALARM = PREDICTIONS.c.is_inlier == literal_column(str(OUTLIER))

_NEWEST_NOTE = (
    select(func.max(NOTES.c.id))
    .where(NOTES.c.record_id == PREDICTIONS.c.record_id, NOTES.c.row == PREDICTIONS.c.row)
    .correlate(PREDICTIONS)
    .scalar_subquery()
)

_IS_KNOWN = {
    NO_LABEL: and_(LABELS.c.id.is_(None), or_(NOTES.c.id.is_(None), NOTES.c.is_unsure == 0)),
    TRUE_ALARM: LABELS.c.is_inlier == OUTLIER,
    FALSE_ALARM: LABELS.c.is_inlier == INLIER,
    UNSURE: and_(LABELS.c.id.is_(None), NOTES.c.is_unsure == 1),
}


def read_alarms(
    connection: Connection, wanted: AlarmFilter, before: RecordKey | None, n: int
) -> tuple[list[Alarm], RecordKey | None]:
    """Read a page of alarms.

    Parameters
    ----------
    connection
        To the database of records.
    wanted
        Which alarms.
    before
        The end of the previous page; None for the newest alarms.
    n
        The size of the page.

    Returns
    -------
    The alarms, the newest first, and where the next page starts; None if there are no more. A page may be short, or
    even empty, although there are more: a rare filter takes several pages to search.
    """
    conditions = _conditions(wanted)
    limit = _MAX_SCANNED if conditions else n + 1
    scanned = connection.execute(select_newest(before, limit, wanted.since, wanted.until)).all()
    if not scanned:
        return [], None
    first, last = scanned[0], scanned[-1]
    # The keys are one range of the index, which holds alarms only.
    in_range = _described().where(*between(last, first))
    found = connection.execute(in_range.where(*conditions).limit(n + 1)).all()
    page = found[:n]
    if len(found) > n:
        after: RecordKey | None = RecordKey(page[-1].record_id, page[-1].row)
    else:
        after = RecordKey(last.record_id, last.row) if len(scanned) == limit else None
    return _to_alarms(connection, page), after


def read_alarm(connection: Connection, key: RecordKey) -> Alarm | None:
    """Read one alarm; None if it is not recorded, or is an inlier."""
    one = _described().where(PREDICTIONS.c.record_id == key.record_id, PREDICTIONS.c.row == key.row)
    found = _to_alarms(connection, connection.execute(one).all())
    return found[0] if found else None


def add_note(connection: Connection, key: RecordKey, remark: Remark) -> None:
    """Store a note about a recorded row, in a transaction that writes."""
    line = {
        "record_id": key.record_id,
        "row": key.row,
        "is_unsure": int(remark.is_unsure),
        "note": remark.note,
        "given_at": remark.given_at,
        "given_by": remark.given_by,
    }
    connection.execute(insert(NOTES).values(line))


def _row_key() -> Tuple:
    """Return the primary key as one value: compared as a whole, it is one range of an index."""
    return tuple_(PREDICTIONS.c.record_id, PREDICTIONS.c.row)


def between(oldest: Row[Any], newest: Row[Any]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions that a row lies between two others, both included."""
    return (
        _row_key() >= tuple_(oldest.record_id, oldest.row),
        _row_key() <= tuple_(newest.record_id, newest.row),
    )


def select_newest(
    before: RecordKey | None, limit: int, since: float | None = None, until: float | None = None
) -> Select[Any]:
    """Select the keys of the newest alarms of a time span before a key."""
    ids = PREDICTIONS.c.record_id
    statement = select(ids, PREDICTIONS.c.row).where(IS_ALARM)
    if before is not None:
        statement = statement.where(_row_key() < tuple_(before.record_id, before.row))
    if since is not None:
        statement = statement.where(ids >= first_id_at(since))
    if until is not None:
        statement = statement.where(ids < first_id_at(until))
    return statement.order_by(ids.desc(), PREDICTIONS.c.row.desc()).limit(limit)


def _described() -> Select[Any]:
    """Select alarms with their labels and notes, the newest first."""
    label, note, answer = LABELS.c, NOTES.c, PREDICTIONS.c
    is_label = and_(label.record_id == answer.record_id, label.row == answer.row, label.replaced_at.is_(None))
    return (
        select(
            PREDICTIONS,
            label.is_inlier.label("label"),
            label.note.label("label_note"),
            label.source,
            label.given_at.label("labelled_at"),
            label.given_by.label("labelled_by"),
            note.is_unsure,
            note.note,
            note.given_at.label("noted_at"),
            note.given_by.label("noted_by"),
        )
        .select_from(PREDICTIONS.outerjoin(LABELS, is_label).outerjoin(NOTES, note.id == _NEWEST_NOTE))
        .where(IS_ALARM)
        .order_by(answer.record_id.desc(), answer.row.desc())
    )


def _conditions(wanted: AlarmFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that the index of alarms does not know."""
    answer = PREDICTIONS.c
    conditions = []
    if wanted.segment is not None:
        conditions.append(answer.segment == wanted.segment)
    if wanted.model_version is not None:
        conditions.append(answer.model_version == wanted.model_version)
    if wanted.min_score is not None:
        conditions.append(answer.score >= wanted.min_score)
    if wanted.max_score is not None:
        conditions.append(answer.score <= wanted.max_score)
    if wanted.known is not None:
        conditions.append(_IS_KNOWN[wanted.known])
    if wanted.reason is not None:
        # Reasons are texts that start with the column, in a JSON list: ["sd = 39.2 is higher than ...", ...].
        start = json.dumps(wanted.reason, ensure_ascii=False)[:-1]
        conditions.append(
            or_(*(answer.explanation.contains(f"{start} {word}", autoescape=True) for word in ("=", "is missing")))
        )
    return conditions


def _to_alarms(connection: Connection, lines: Sequence[Row[Any]]) -> list[Alarm]:
    """Return selected rows as alarms."""
    names = read_feature_names(connection, {line.model_version for line in lines})
    return [
        Alarm(
            key=RecordKey(line.record_id, line.row),
            answered_at=line.answered_at,
            model_version=line.model_version,
            segment=line.segment,
            features=name_features(line.features, names.get(line.model_version)),
            values=read_values(line.features),
            has_levels=tuple(isinstance(column, dict) for column in names.get(line.model_version, [])),
            score=line.score,
            confidence=line.confidence,
            explanation=None if line.explanation is None else json.loads(line.explanation),
            unfamiliar=None if line.unfamiliar is None else json.loads(line.unfamiliar),
            label=None
            if line.label is None
            else Remark(line.label, False, line.label_note, line.labelled_at, line.labelled_by or line.source or None),
            note=None
            if line.is_unsure is None
            else Remark(0, bool(line.is_unsure), line.note, line.noted_at, line.noted_by),
        )
        for line in lines
    ]
