"""Reads what quality is estimated from: counts, labelled rows and audits, in total and by version, segment and day."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, Select, and_, func, null, select

from app.db.tables import AUDIT_ROUNDS, AUDITS, LABELS, PREDICTIONS
from app.model.forest import OUTLIER
from app.quality.estimate import Estimate, OutlierRatio
from app.quality.labels import LabelledAnswers
from app.quality.maturity import Maturity, estimate_maturity
from app.quality.reviewed_rows import ReviewedRows, reach_of, select_answers
from app.quality.warnings import SampledAlarms
from app.records.second_labels import estimate_label_noise
from app.records.stats import AnswerCount, read_counts
from app.records.timestamps import SECONDS_PER_HOUR
from app.records.window import Window

_N_COLUMNS = 9

# Enough to compare labelled alarms with: more rows would not make the tests noticeably sharper.
_SAMPLED_ALARMS = 2000


def read_reviewed_rows(connection: Connection, window: Window) -> ReviewedRows:
    """Read the rows; the cost grows with the number of labels and of rows drawn for the queues."""
    rows = [
        row for query in (labelled_rows_query, unanswered_audits_query) for row in connection.execute(query(window))
    ]
    columns = zip(*rows, strict=True) if rows else [()] * _N_COLUMNS
    answered_at, versions, segments, scores, answers, labels, probabilities, handed_at, first_label_at = columns
    known = np.asarray(labels, np.float64)  # None becomes NaN
    answered, is_alarm = np.asarray(answered_at, np.float64), np.asarray(answers, np.int64) == OUTLIER
    return ReviewedRows(
        answered_at=answered,
        model_versions=np.asarray(versions, np.str_),
        segments=np.asarray(segments, np.str_),
        scores=np.asarray(scores, np.float64),
        is_alarm=is_alarm,
        is_labelled=~np.isnan(known),
        is_outlier=known == OUTLIER,
        probabilities=np.asarray(probabilities, np.float64) * _read_reach(connection, answered, is_alarm),
        handed_at=np.asarray(handed_at, np.float64),
        labelled_at=np.asarray(first_label_at, np.float64),
    )


def _read_reach(
    connection: Connection, answered_at: NDArray[np.float64], is_alarm: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Read how far hand-outs came, and compute the probability that a drawn row was reached."""
    since = float(answered_at.min()) if len(answered_at) else 0.0
    statement = select(AUDIT_ROUNDS).where(AUDIT_ROUNDS.c.at >= since).order_by(AUDIT_ROUNDS.c.at)
    rounds = connection.execute(statement).all()
    reach = np.ones(len(answered_at))
    for kind in (True, False):
        of_kind = [each for each in rounds if (each.is_inlier == OUTLIER) == kind]
        at, reaches = (np.array([getattr(each, name) for each in of_kind]) for name in ("at", "reach"))
        reach[is_alarm == kind] = reach_of(answered_at[is_alarm == kind], at, reaches)
    return reach


def read_unlabelled_alarms(
    connection: Connection, window: Window, n_alarms: int, model_version: str | None = None
) -> SampledAlarms:
    """Read about 2,000 random alarms of a window, without those that have a label."""
    first_id, end_id = window.record_ids
    label, answer, audit = LABELS.c, PREDICTIONS.c, AUDITS.c
    is_answer = and_(answer.record_id == audit.record_id, answer.row == audit.row)
    is_label = and_(label.record_id == audit.record_id, label.row == audit.row)
    statement = (
        select(answer.score, answer.answered_at)
        .select_from(AUDITS.join(PREDICTIONS, is_answer))
        # Positions are random, so the first ones are a sample of all alarms; those of this window are among them.
        .where(audit.is_inlier == OUTLIER, audit.position < _SAMPLED_ALARMS / max(n_alarms, 1))
        .where(audit.record_id >= first_id, audit.record_id < end_id)
        .where(~select(label.id).where(is_label).exists())
    )
    if model_version is not None:
        statement = statement.where(answer.model_version == model_version)
    found = connection.execute(statement).all()
    return SampledAlarms(np.array([row[0] for row in found], float), np.array([row[1] for row in found], float))


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
    rows
        Reviewed rows that are old enough to count.
    answers
        Counts and labels of answers that are old enough.
    outlier_ratio
        The share of predicted outliers of all answers, which needs no labels.
    model_versions
        The model versions that gave them.
    """

    rows: ReviewedRows
    answers: LabelledAnswers
    outlier_ratio: OutlierRatio
    model_versions: tuple[str, ...]

    @property
    def n_other_labels(self) -> int:
        """The number of alarms that were labelled without the queue, or before it reached them."""
        return int((self.rows.is_alarm & self.rows.is_labelled & ~self.rows.is_requested).sum())


@dataclass(frozen=True)
class QualityReading:
    """The answers of a window, in total and by group; a group without answers is left out.

    Parameters
    ----------
    window
        The hours that were read.
    maturity, counted_until
        The age from which rows count, and the end of the last hour that counts; seconds since 1970.
    overall
        All answers.
    by_model_version, by_segment
        Sorted by name; the segment is empty for callers that named none.
    by_day
        UTC, oldest first. The first and the last day may be incomplete.
    unlabelled
        A random sample of the alarms without a label that are old enough.
    label_noise
        The share of wrong labels, from second labels.
    """

    window: Window
    maturity: Maturity
    counted_until: int
    overall: AnswerGroup
    by_model_version: dict[str, AnswerGroup]
    by_segment: dict[str, AnswerGroup]
    by_day: dict[date, AnswerGroup]
    unlabelled: SampledAlarms
    label_noise: Estimate


def read_quality(
    engine: Engine, window: Window, now: float, model_version: str | None = None, maturity_hours: int = 0
) -> QualityReading:
    """Read what is known about the answers of a window.

    Counts of answers are exact, over all rows that reached the recorder. Every alarm is recorded; labels of inliers are
    used only where the audit queue has reached them.

    Parameters
    ----------
    engine
        The database.
    window
        The hours to read.
    now
        Seconds since 1970.
    model_version
        Read only the answers of this version; None for all.
    maturity_hours
        The age from which rows count; 0 to estimate it.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        If the database cannot be read.
    """
    with engine.connect() as connection:
        # The labels first: a row that is written between the two queries is then counted without its label.
        rows, counts = read_reviewed_rows(connection, window), read_counts(connection, window)
        if model_version is not None:
            rows = rows.take(rows.model_versions == model_version)
            counts = [count for count in counts if count.model_version == model_version]
        end = min(window.end_hour, now)
        if maturity_hours:
            maturity = Maturity(maturity_hours * SECONDS_PER_HOUR, "set")
        else:
            maturity = estimate_maturity(rows, window.first_hour, end)
        counted = Window.around(window.first_hour, max(end - maturity.seconds, window.first_hour))
        n_alarms = sum(count.n_outliers for count in counts)
        unlabelled = read_unlabelled_alarms(connection, counted, n_alarms, model_version)
        label_noise = estimate_label_noise(connection, window)
        old = counts if counted == window else read_counts(connection, counted)
    groups = _Groups(
        rows.as_of(counted.end_hour), counts, [count for count in old if model_version in (None, count.model_version)]
    )
    by_day = groups.by(groups.rows.days, lambda count: count.day)
    return QualityReading(
        window,
        maturity,
        counted.end_hour,
        groups.overall(),
        groups.by(groups.rows.model_versions, lambda count: count.model_version),
        groups.by(groups.rows.segments, lambda count: count.segment),
        {datetime.fromtimestamp(day, UTC).date(): group for day, group in by_day.items()},
        unlabelled,
        label_noise,
    )


@dataclass(frozen=True)
class _Groups:
    """Reviewed rows that count, and counts of all answers and of those that are old enough."""

    rows: ReviewedRows
    counts: Sequence[AnswerCount]
    old: Sequence[AnswerCount]

    def overall(self) -> AnswerGroup:
        """Summarize everything."""
        return _summarize(self.rows, self.counts, self.old)

    def by(self, keys: NDArray[Any], key_of: Callable[[AnswerCount], Key]) -> dict[Key, AnswerGroup]:
        """Group rows and counts by a key; ``keys`` holds the key of each row."""
        by_key: dict[Key, tuple[list[AnswerCount], list[AnswerCount]]] = {}
        for place, counts in enumerate((self.counts, self.old)):
            for count in counts:
                by_key.setdefault(key_of(count), ([], []))[place].append(count)
        ordered = sorted(by_key)  # type: ignore[type-var]
        return {key: _summarize(self.rows.take(keys == key), *by_key[key]) for key in ordered}


def _summarize(rows: ReviewedRows, counts: Sequence[AnswerCount], old: Sequence[AnswerCount]) -> AnswerGroup:
    """Count answers, and select the labels that count."""
    n_old_alarms = sum(count.n_outliers for count in old)
    return AnswerGroup(
        rows,
        select_answers(rows, n_old_alarms, sum(count.n_rows for count in old) - n_old_alarms),
        OutlierRatio(sum(count.n_outliers for count in counts), sum(count.n_rows for count in counts)),
        tuple(sorted({count.model_version for count in counts})),
    )
