"""Reads the recorded answer to one request: rows with feature values by name, and their labels."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, select

from app.db.tables import LABELS, MODEL_VERSIONS, PREDICTIONS
from app.records.labels import GivenLabel
from app.records.lookup import RecordKey, find_record, list_records
from app.records.pending_labels import list_pending
from app.records.reading import next_page

# The byte order of the column, on every machine.
_FLOAT32 = np.dtype("<f4")

# Callers that reuse a request id do so a few times; of one that always sends the same, only the first are shown.
_MAX_RECORDS = 20

# People change their minds a few times. A program may do so forever, and nobody reads all that.
_MAX_PAST_LABELS = 1000


def read_feature_names(connection: Connection, versions: Collection[str]) -> dict[str, list[Any]]:
    """Return the columns of each model version, as ``columns_to_record`` lists them; without unknown versions."""
    statement = select(MODEL_VERSIONS.c.version, MODEL_VERSIONS.c.feature_names)
    return {
        version: json.loads(names)
        for version, names in connection.execute(statement.where(MODEL_VERSIONS.c.version.in_(versions)))
    }


def name_features(features: bytes | None, names: Sequence[Any] | None) -> dict[str, Any] | None:
    """Return recorded values by column, or by position if the columns are unknown; None if none were recorded.

    Parameters
    ----------
    features
        The recorded bytes.
    names
        The columns, as ``columns_to_record`` lists them.

    Returns
    -------
    A number, a level, or None if the value is missing or its level was not known.

    Examples
    --------
    >>> name_features(np.array([0.56, 2], "<f4").tobytes(), ["mean", "sd"])
    {'mean': 0.56, 'sd': 2.0}
    >>> name_features(np.array([0.56, 2], "<f4").tobytes(), None)
    {'0': 0.56, '1': 2.0}
    >>> columns = ["mean", {"name": "country", "levels": ["DE", "FR"]}]
    >>> name_features(np.array([np.nan, 1], "<f4").tobytes(), columns)
    {'mean': None, 'country': 'FR'}
    """
    if features is None:
        return None
    numbers = [None if math.isnan(value) else value for value in read_values(features)]
    known = names if names is not None and len(names) == len(numbers) else [str(place) for place in range(len(numbers))]
    return {
        column["name"] if isinstance(column, dict) else column: name_level(column["levels"], number)
        if isinstance(column, dict)
        else number
        for column, number in zip(known, numbers, strict=True)
    }


def read_values(features: bytes | None) -> tuple[float, ...]:
    """Return recorded numbers with as few digits as a float32 needs: a caller that sent 0.56 sees 0.56."""
    return () if features is None else tuple(float(str(value)) for value in np.frombuffer(features, _FLOAT32))


def name_level(levels: Sequence[Any], number: float | None) -> Any:
    """Return the level with a number; None if there is none."""
    return None if number is None or not 0 <= number < len(levels) else levels[int(number)]


@dataclass(frozen=True)
class PastLabel:
    """A label of a row, and when it was replaced; None for the current one."""

    is_inlier: int
    source: str
    note: str
    given_at: float
    replaced_at: float | None
    given_by: str | None


@dataclass(frozen=True)
class AnsweredRow:
    """A row with the model's answer and its labels, newest first; times are seconds since 1970.

    ``explanation`` has the fields of ``/prediction`` that explain an outlier; None for inliers, and for outliers that
    were not explained. ``unfamiliar`` has its unfamiliar values by column; such a row has no confidence.
    """

    row: int
    features: dict[str, Any] | None
    score: float
    is_inlier: int
    confidence: float | None
    recorded_share: float
    explanation: dict[str, Any] | None
    unfamiliar: dict[str, str] | None
    labels: list[PastLabel]


@dataclass(frozen=True)
class AnswerRecord:
    """A page of the rows of one request.

    Parameters
    ----------
    record_id
        The id of this record.
    request_id
        The caller's id; the record's own if the caller sent none.
    same_request
        The records with the same request id, oldest first.
    answered_at
        Seconds since 1970.
    model_version, segment
        Of the answer; the segment may be empty.
    rows
        In order; rows that were not sampled for recording are missing.
    next_row
        The first row of the next page; None on the last page.
    waiting
        Pending labels, which are not yet matched with their rows.
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


def read_answer(connection: Connection, given_id: str, first_row: int, max_rows: int) -> AnswerRecord | None:
    """Read the record with an id.

    Parameters
    ----------
    connection
        To the database of records.
    given_id
        A record id, or the request id that a caller sent; of several records of a request, the first is returned.
    first_row
        The first row to return, counted from 0.
    max_rows
        The size of the page.

    Returns
    -------
    None if there is no such record, or no row from ``first_row`` on.
    """
    if (record_id := find_record(connection, given_id)) is None:
        return None
    # Together with the start of the page, this is one range of the primary key; an equality is a slower search.
    of_record = select(PREDICTIONS).where(PREDICTIONS.c.record_id <= record_id)
    # One extra row shows whether there is another page.
    found = connection.execute(next_page(of_record, RecordKey(record_id, first_row - 1), max_rows + 1)).all()
    if not found:
        return None
    page, rest = found[:max_rows], found[max_rows:]
    first = page[0]
    request_id = first.request_id or record_id
    names = read_feature_names(connection, [first.model_version]).get(first.model_version)
    labels = _read_labels(connection, record_id, page)
    return AnswerRecord(
        record_id=record_id,
        request_id=request_id,
        same_request=list_records(connection, request_id, _MAX_RECORDS) if first.request_id else [record_id],
        answered_at=first.answered_at,
        model_version=first.model_version,
        segment=first.segment,
        rows=[_to_answered_row(line, names, labels[line.row]) for line in page],
        next_row=rest[0].row if rest else None,
        waiting=list_pending(connection, sorted({record_id, request_id})),
    )


def _read_labels(connection: Connection, record_id: str, rows: Sequence[Row[Any]]) -> dict[int, list[PastLabel]]:
    """Read the labels of rows, by row, the current one first."""
    label = LABELS.c
    statement = (
        select(LABELS)
        .where(label.record_id == record_id, label.row.between(rows[0].row, rows[-1].row))
        .order_by(label.replaced_at.is_not(None), label.id.desc())
        .limit(len(rows) + _MAX_PAST_LABELS)
    )
    labels = defaultdict(list)
    for line in connection.execute(statement):
        labels[line.row].append(_past_label(line))
    return labels


def _to_answered_row(line: Row[Any], names: Sequence[str] | None, labels: list[PastLabel]) -> AnsweredRow:
    """Combine a recorded row with its labels."""
    return AnsweredRow(
        line.row,
        name_features(line.features, names),
        line.score,
        line.is_inlier,
        line.confidence,
        line.recorded_share,
        None if line.explanation is None else json.loads(line.explanation),
        None if line.unfamiliar is None else json.loads(line.unfamiliar),
        labels,
    )


def _past_label(line: Row[Any]) -> PastLabel:
    """Return a row of the table as a label."""
    return PastLabel(line.is_inlier, line.source, line.note, line.given_at, line.replaced_at, line.given_by)
