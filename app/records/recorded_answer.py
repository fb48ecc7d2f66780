"""What was answered to one request, and what is known of it since.

The feature values of recorded rows, by name.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from app.db.tables import LABELS, MODEL_VERSIONS, PREDICTIONS
from app.records.labels import GivenLabel
from app.records.lookup import find_record, list_records
from app.records.pending_labels import list_pending

# As app.db.tables says of the column, whatever the machine.
_FLOAT32 = np.dtype("<f4")


def read_feature_names(connection: Connection, versions: Collection[str]) -> dict[str, list[str]]:
    """Map model versions to the names of their features; those that are not known are left out."""
    asked = select(MODEL_VERSIONS.c.version, MODEL_VERSIONS.c.feature_names)
    return {
        version: json.loads(names)
        for version, names in connection.execute(asked.where(MODEL_VERSIONS.c.version.in_(versions)))
    }


def name_features(features: bytes | None, names: Sequence[str] | None) -> dict[str, float] | None:
    """Give the recorded values by name, or by place where the names are not known; None if none were recorded.

    Examples
    --------
    >>> name_features(np.array([0.56, 2], "<f4").tobytes(), ["mean", "sd"])
    {'mean': 0.56, 'sd': 2.0}
    >>> name_features(np.array([0.56, 2], "<f4").tobytes(), None)
    {'0': 0.56, '1': 2.0}
    """
    if features is None:
        return None
    values = np.frombuffer(features, _FLOAT32)
    # With as few digits as a float32 needs: whoever sent 0.56 sees 0.56.
    numbers = [float(str(value)) for value in values]
    known = names if names is not None and len(names) == len(numbers) else [str(place) for place in range(len(numbers))]
    return dict(zip(known, numbers, strict=True))


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
class AnswerRecord:
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


def read_answer(connection: Connection, given_id: str, first_row: int, most_rows: int) -> AnswerRecord | None:
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
    return AnswerRecord(
        record_id=record_id,
        request_id=request_id,
        same_request=list_records(connection, request_id, MOST_RECORDS) if first.request_id else [record_id],
        answered_at=first.answered_at,
        model_version=first.model_version,
        segment=first.segment,
        rows=[_lay_out(line, names, labels[line.row]) for line in shown],
        next_row=after[0].row if after else None,
        waiting=list_pending(connection, sorted({record_id, request_id})),
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
