"""Reads what quality is estimated from: counts, labelled rows and audits, in total and by version, segment and day."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, and_, func, null, select

from app.db.tables import AUDITS, LABELS, PREDICTIONS
from app.model.forest import OUTLIER
from app.quality.estimate import OutlierRatio
from app.quality.labels import LabelledAnswers, labelling_probabilities
from app.records.stats import AnswerCount, read_counts
from app.records.timestamps import SECONDS_PER_DAY
from app.records.window import Window

_N_COLUMNS = 9


@dataclass(frozen=True)
class ReviewedRows:
    """Rows with a label, and rows that the audit queue handed out; each field has the shape ``(n_rows,)``.

    Parameters
    ----------
    days
        Start of the day of the answer in UTC; seconds since 1970.
    model_versions, segments
        As recorded.
    scores
        Anomaly scores, in [-1, 0]: the lower, the more abnormal.
    is_alarm
        Whether the predicted label is outlier.
    is_labelled, is_outlier
        Whether there is a true label, and whether it is outlier.
    probabilities
        The probability with which the row was drawn for the audit queue; NaN unless the queue has reached it.
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


def read_reviewed_rows(connection: Connection, window: Window) -> ReviewedRows:
    """Read the rows; the cost grows with the number of labels and of rows drawn for the audit queue."""
    rows = [
        row for query in (labelled_rows_query, unanswered_audits_query) for row in connection.execute(query(window))
    ]
    columns = zip(*rows, strict=True) if rows else [()] * _N_COLUMNS
    answered_at, versions, segments, scores, answers, labels, probabilities, handed_at, first_label_at = columns
    known = np.asarray(labels, np.float64)  # None becomes NaN
    return ReviewedRows(
        days=np.asarray(answered_at, np.float64).astype(np.int64) // SECONDS_PER_DAY * SECONDS_PER_DAY,
        model_versions=np.asarray(versions, np.str_),
        segments=np.asarray(segments, np.str_),
        scores=np.asarray(scores, np.float64),
        is_alarm=np.asarray(answers, np.int64) == OUTLIER,
        is_labelled=~np.isnan(known),
        is_outlier=known == OUTLIER,
        probabilities=np.asarray(probabilities, np.float64),
        was_labelled_before=np.asarray(first_label_at, np.float64) <= np.asarray(handed_at, np.float64),
    )


def labelled_rows_query(window: Window) -> Select[Any]:
    """Return the query for labelled rows: a range of an index, and key searches for each label."""
    first_id, end_id = window.record_ids
    label, answer, audit, any_label = LABELS.c, PREDICTIONS.c, AUDITS.c, LABELS.alias("any_label")
    # The current label may have replaced an earlier one, and that one decides whether the queue was first.
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
    """Return the query for audits without a label: a range of drawn rows, and key searches for each."""
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
    """Select the answer, and what is known about it since."""
    answer = PREDICTIONS.c
    return select(answer.answered_at, answer.model_version, answer.segment, answer.score, answer.is_inlier, *known)


Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class AnswerGroup:
    """A group of answers of a window.

    Parameters
    ----------
    answers
        Counts and labels.
    model_versions
        The model versions that gave them.
    """

    answers: LabelledAnswers
    model_versions: tuple[str, ...]

    @property
    def outlier_ratio(self) -> OutlierRatio:
        """The share of predicted outliers, which needs no labels."""
        return OutlierRatio(self.answers.n_alarms, self.answers.n_alarms + self.answers.n_inliers)


@dataclass(frozen=True)
class QualityReading:
    """The answers of a window, in total and by group; a group without answers is left out.

    Parameters
    ----------
    window
        The hours that were read.
    overall
        All answers.
    by_model_version, by_segment
        Sorted by name; the segment is empty for callers that named none.
    by_day
        UTC, oldest first. The first and the last day may be incomplete.
    """

    window: Window
    overall: AnswerGroup
    by_model_version: dict[str, AnswerGroup]
    by_segment: dict[str, AnswerGroup]
    by_day: dict[date, AnswerGroup]


def read_quality(engine: Engine, window: Window, model_version: str | None = None) -> QualityReading:
    """Read what is known about the answers of a window.

    Counts of answers are exact, over all rows that reached the recorder. Every alarm is recorded, so all labelled
    alarms are used; of the inliers, only those that the audit queue has reached.

    Parameters
    ----------
    engine
        The database.
    window
        The hours to read.
    model_version
        Read only the answers of this version; None for all.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        If the database cannot be read.
    """
    with engine.connect() as connection:
        # The labels first: a row that is written between the two queries is then counted without its label.
        rows, counts = read_reviewed_rows(connection, window), read_counts(connection, window)
    if model_version is not None:
        rows = _filter(rows, rows.model_versions == model_version)
        counts = [count for count in counts if count.model_version == model_version]
    by_day = _group(rows, counts, rows.days, lambda count: count.day)
    return QualityReading(
        window,
        _summarize(rows, counts),
        _group(rows, counts, rows.model_versions, lambda count: count.model_version),
        _group(rows, counts, rows.segments, lambda count: count.segment),
        {datetime.fromtimestamp(day, UTC).date(): group for day, group in by_day.items()},
    )


def _group(
    rows: ReviewedRows, counts: Iterable[AnswerCount], keys: NDArray[Any], key_of: Callable[[AnswerCount], Key]
) -> dict[Key, AnswerGroup]:
    """Group rows and counts by a key; ``keys`` holds the key of each row."""
    by_key: dict[Key, list[AnswerCount]] = {}
    for count in counts:
        by_key.setdefault(key_of(count), []).append(count)
    return {key: _summarize(_filter(rows, keys == key), by_key[key]) for key in sorted(by_key)}  # type: ignore[type-var]


def _filter(rows: ReviewedRows, chosen: NDArray[np.bool_]) -> ReviewedRows:
    """Return some of the rows."""
    return ReviewedRows(**{name: column[chosen] for name, column in vars(rows).items()})


def _summarize(rows: ReviewedRows, counts: Sequence[AnswerCount]) -> AnswerGroup:
    """Separate labelled alarms from audited inliers, and count all answers."""
    n_rows, n_alarms = sum(count.n_rows for count in counts), sum(count.n_outliers for count in counts)
    alarms = rows.is_alarm & rows.is_labelled
    drawn = ~np.isnan(rows.probabilities)  # of inliers only
    audits = drawn & rows.is_labelled
    answers = LabelledAnswers(
        # A record id is made just before its answer: at the end of the last hour, the answer may fall into the next
        # one.
        n_alarms=max(n_alarms, int(alarms.sum())),
        n_inliers=max(n_rows - n_alarms, int(audits.sum())),
        alarm_scores=rows.scores[alarms],
        alarm_is_outlier=rows.is_outlier[alarms],
        audit_scores=rows.scores[audits],
        audit_is_outlier=rows.is_outlier[audits],
        audit_probabilities=labelling_probabilities(
            rows.probabilities[drawn], rows.was_labelled_before[drawn], rows.is_labelled[drawn]
        ),
    )
    return AnswerGroup(answers, tuple(sorted({count.model_version for count in counts})))
