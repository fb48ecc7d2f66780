"""The rows of a window whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, and_, select

from app.records.tables import AUDITS, LABELS, PREDICTIONS
from app.records.window import SECONDS_OF_DAY, Window

OUTLIER = -1

# Of the query below.
_N_COLUMNS = 7


@dataclass(frozen=True)
class LabelledRows:
    """Columns, each with an entry for every labelled row.

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
    is_outlier
        Whether the label that counts says outlier.
    probabilities
        With which the row was drawn for the audit queue; NaN unless the queue handed it out. Rows that somebody else
        labelled say nothing of the inliers: they were labelled because of what they are.
    """

    days: NDArray[np.int64]
    model_versions: NDArray[np.str_]
    segments: NDArray[np.str_]
    scores: NDArray[np.float64]
    is_alarm: NDArray[np.bool_]
    is_outlier: NDArray[np.bool_]
    probabilities: NDArray[np.float64]


def read_labelled_rows(connection: Connection, window: Window) -> LabelledRows:
    """Read the labelled rows of a window; what it takes grows with the labels alone."""
    rows = connection.execute(labelled_rows_query(window)).all()
    answered_at, versions, segments, scores, answers, labels, probabilities = (
        zip(*rows, strict=True) if rows else [()] * 7
    )
    return LabelledRows(
        days=np.asarray(answered_at, np.float64).astype(np.int64) // SECONDS_OF_DAY * SECONDS_OF_DAY,
        model_versions=np.asarray(versions, np.str_),
        segments=np.asarray(segments, np.str_),
        scores=np.asarray(scores, np.float64),
        is_alarm=np.asarray(answers, np.int64) == OUTLIER,
        is_outlier=np.asarray(labels, np.int64) == OUTLIER,
        probabilities=np.asarray(probabilities, np.float64),  # None becomes NaN
    )


def labelled_rows_query(window: Window) -> Select[float, str, str, float, int, int, float | None]:
    """Ask for the labels that count: a range of their index, and for each one search by primary key in both tables."""
    first, end = window.record_ids
    answers, labels, audits = PREDICTIONS.c, LABELS.c, AUDITS.c
    of_same_row = [and_(table.record_id == labels.record_id, table.row == labels.row) for table in (answers, audits)]
    return (
        select(
            answers.answered_at,
            answers.model_version,
            answers.segment,
            answers.score,
            answers.is_inlier,
            labels.is_inlier,
            audits.probability,
        )
        .select_from(LABELS)
        .join(PREDICTIONS, of_same_row[0])
        .outerjoin(AUDITS, and_(of_same_row[1], audits.handed_at.is_not(None)))
        .where(labels.replaced_at.is_(None), labels.record_id >= first, labels.record_id < end)
    )
