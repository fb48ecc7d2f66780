"""What was answered to one request, and what is known of it since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from app.records.labels import GivenLabel
from app.records.lookup import find_record, list_records
from app.records.recorded_features import name_features, read_feature_names
from app.records.tables import LABELS, PREDICTIONS
from app.records.waiting_labels import list_waiting

# Callers that repeat a request id do so a few times; one that always sends the same is shown its first records.
MOST_RECORDS = 20

# People change their minds a few times; a program may do so for ever, and nobody reads that.
_MOST_PAST_LABELS = 1000


@dataclass(frozen=True)
class PastLabel:
    """A label of a row, and until when it counted; None if it counts."""

    is_inlier: int
    source: str
    note: str
    given_at: float
    replaced_at: float | None


@dataclass(frozen=True)
class AnsweredRow:
    """A row with the model's answer and its labels, the newest first; the times are seconds since 1970."""

    row: int
    features: dict[str, float] | None
    score: float
    is_inlier: int
    confidence: float
    recorded_share: float
    labels: list[PastLabel]


@dataclass(frozen=True)
class RecordedAnswer:
    """A page of the rows of one request.

    Parameters
    ----------
    record_id
        Of the record that is shown.
    request_id
        The caller's id; the record's own if the caller gave none.
    same_request
        The records that share the request id, the oldest first.
    answered_at
        Seconds since 1970.
    model_version, segment
        Who answered, and what kind of caller asked; the segment may be empty.
    rows
        In their order; those that were not chosen for recording are missing.
    next_row
        Where the next page begins; None if this is the last one.
    waiting
        Labels that were given, but not yet put to their rows.
    """

    record_id: str
    request_id: str
    same_request: list[str]
    answered_at: float
    model_version: str
    segment: str
    rows: list[AnsweredRow]
    next_row: int | None
    waiting: list[GivenLabel]


def read_answer(connection: Connection, given_id: str, first_row: int, most_rows: int) -> RecordedAnswer | None:
    """Read what is recorded under an id.

    Parameters
    ----------
    connection
        To the database of records.
    given_id
        A record's own id, or the id that a caller gave; of several records of a request, the first is shown.
    first_row
        Rows before it are left out; counted from 0.
    most_rows
        How many rows at most.

    Returns
    -------
    None if there is no record, or none from ``first_row`` on.
    """
    if (record_id := find_record(connection, given_id)) is None:
        return None
    answer = PREDICTIONS.c
    asked = select(PREDICTIONS).where(answer.record_id == record_id, answer.row >= first_row).order_by(answer.row)
    # One more than is shown tells whether there is another page.
    found = connection.execute(asked.limit(most_rows + 1)).all()
    if not found:
        return None
    shown, after = found[:most_rows], found[most_rows:]
    first = shown[0]
    request_id = first.request_id or record_id
    names = read_feature_names(connection, [first.model_version]).get(first.model_version)
    labels = _read_labels(connection, record_id, shown)
    return RecordedAnswer(
        record_id=record_id,
        request_id=request_id,
        same_request=list_records(connection, request_id, MOST_RECORDS) if first.request_id else [record_id],
        answered_at=first.answered_at,
        model_version=first.model_version,
        segment=first.segment,
        rows=[_lay_out(line, names, labels[line.row]) for line in shown],
        next_row=after[0].row if after else None,
        waiting=list_waiting(connection, sorted({record_id, request_id})),
    )


def _read_labels(connection: Connection, record_id: str, rows: Sequence[Row[Any]]) -> dict[int, list[PastLabel]]:
    """Read the labels of rows, by row, the one that counts first."""
    label = LABELS.c
    asked = (
        select(LABELS)
        .where(label.record_id == record_id, label.row.between(rows[0].row, rows[-1].row))
        .order_by(label.replaced_at.is_not(None), label.id.desc())
        .limit(len(rows) + _MOST_PAST_LABELS)
    )
    labels = defaultdict(list)
    for line in connection.execute(asked):
        labels[line.row].append(PastLabel(line.is_inlier, line.source, line.note, line.given_at, line.replaced_at))
    return labels


def _lay_out(line: Row[Any], names: Sequence[str] | None, labels: list[PastLabel]) -> AnsweredRow:
    """Lay a recorded row out."""
    return AnsweredRow(
        line.row,
        name_features(line.features, names),
        line.score,
        line.is_inlier,
        line.confidence,
        line.recorded_share,
        labels,
    )
