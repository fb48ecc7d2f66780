"""The rows of a window that people looked at: labelled ones, and those that the audit queue handed out in vain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, and_, func, null, select

from app.records.tables import AUDITS, LABELS, PREDICTIONS
from app.records.window import SECONDS_OF_DAY, Window

_OUTLIER = -1

_N_COLUMNS = 9


@dataclass(frozen=True)
class JudgedRows:
    """Columns, each with an entry for every row.

    Parameters
    ----------
    days
        When the day of the answer began, UTC; seconds since 1970.
    model_versions, segments
        As recorded.
    scores
        Anomaly scores, in [-1, 0]: the lower, the more abnormal.
    is_alarm
        Whether the answer was outlier.
    is_labelled, is_outlier
        Whether there is a label that counts, and whether it says outlier.
    probabilities
        With which the row was drawn for the audit queue; NaN unless the queue has come to it.
    was_labelled_before
        Whether it had a label by then.
    """

    days: NDArray[np.int64]
    model_versions: NDArray[np.str_]
    segments: NDArray[np.str_]
    scores: NDArray[np.float64]
    is_alarm: NDArray[np.bool_]
    is_labelled: NDArray[np.bool_]
    is_outlier: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    was_labelled_before: NDArray[np.bool_]


def read_judged_rows(connection: Connection, window: Window) -> JudgedRows:
    """Read the rows; what it takes grows with the labels, and with the rows drawn for the audit queue."""
    rows = [
        row for query in (labelled_rows_query, unanswered_audits_query) for row in connection.execute(query(window))
    ]
    columns = zip(*rows, strict=True) if rows else [()] * _N_COLUMNS
    answered_at, versions, segments, scores, answers, labels, probabilities, handed_at, first_label_at = columns
    given = np.asarray(labels, np.float64)  # None becomes NaN
    return JudgedRows(
        days=np.asarray(answered_at, np.float64).astype(np.int64) // SECONDS_OF_DAY * SECONDS_OF_DAY,
        model_versions=np.asarray(versions, np.str_),
        segments=np.asarray(segments, np.str_),
        scores=np.asarray(scores, np.float64),
        is_alarm=np.asarray(answers, np.int64) == _OUTLIER,
        is_labelled=~np.isnan(given),
        is_outlier=given == _OUTLIER,
        probabilities=np.asarray(probabilities, np.float64),
        was_labelled_before=np.asarray(first_label_at, np.float64) <= np.asarray(handed_at, np.float64),
    )


def labelled_rows_query(window: Window) -> Select[Any]:
    """Ask for the labels that count: a range of an index, and for each label searches of its row's keys."""
    first_id, end_id = window.record_ids
    label, answer, audit, any_label = LABELS.c, PREDICTIONS.c, AUDITS.c, LABELS.alias("any_label")
    # A label that was changed later may have been the queue's answer, or have been there before.
    first_label_at = (
        select(func.min(any_label.c.given_at))
        .where(any_label.c.record_id == label.record_id, any_label.c.row == label.row)
        .scalar_subquery()
    )
    is_answer = and_(answer.record_id == label.record_id, answer.row == label.row)
    is_audit = and_(audit.record_id == label.record_id, audit.row == label.row, audit.handed_at.is_not(None))
    return (
        _of_answer(label.is_inlier, audit.probability, audit.handed_at, first_label_at)
        .select_from(LABELS.join(PREDICTIONS, is_answer).outerjoin(AUDITS, is_audit))
        .where(label.replaced_at.is_(None), label.record_id >= first_id, label.record_id < end_id)
    )


def unanswered_audits_query(window: Window) -> Select[Any]:
    """Ask for rows that were handed out and have no label: a range of drawn rows, and for each searches of its keys."""
    first_id, end_id = window.record_ids
    label, answer, audit = LABELS.c, PREDICTIONS.c, AUDITS.c
    is_answer = and_(answer.record_id == audit.record_id, answer.row == audit.row)
    is_label = and_(label.record_id == audit.record_id, label.row == audit.row, label.replaced_at.is_(None))
    return (
        _of_answer(null(), audit.probability, audit.handed_at, null())
        .select_from(AUDITS.join(PREDICTIONS, is_answer))
        .where(audit.record_id >= first_id, audit.record_id < end_id, audit.handed_at.is_not(None))
        .where(~select(label.id).where(is_label).exists())
    )


def _of_answer(*known: Any) -> Select[Any]:
    """Select what was answered, and what is known of it since."""
    answer = PREDICTIONS.c
    return select(answer.answered_at, answer.model_version, answer.segment, answer.score, answer.is_inlier, *known)
