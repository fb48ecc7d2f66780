"""What the quality of the answers is estimated from, as a whole and by model version, segment and day."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

from app.quality.audit_probabilities import labelling_probabilities
from app.quality.labelled_answers import LabelledAnswers
from app.quality.outlier_ratio import OutlierRatio
from app.records.answer_counts import AnswerCount, read_counts
from app.records.judged_rows import JudgedRows, read_judged_rows
from app.records.window import Window

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class AnswerGroup:
    """Some answers of a window.

    Parameters
    ----------
    answers
        Counts and labels.
    model_versions
        The versions that gave them.
    """

    answers: LabelledAnswers
    model_versions: tuple[str, ...]

    @property
    def outlier_ratio(self) -> OutlierRatio:
        """The share of outliers, which needs no labels."""
        return OutlierRatio(self.answers.n_alarms, self.answers.n_alarms + self.answers.n_inliers)


@dataclass(frozen=True)
class QualityReading:
    """The answers of a window and of its groups; a group without answers is left out.

    Parameters
    ----------
    window
        The hours that were read.
    overall
        All answers.
    by_model_version, by_segment
        In the order of their names; the segment is empty for callers that named none.
    by_day
        UTC, oldest first. The first one may be a part of a day, and the last one is underway.
    """

    window: Window
    overall: AnswerGroup
    by_model_version: dict[str, AnswerGroup]
    by_segment: dict[str, AnswerGroup]
    by_day: dict[date, AnswerGroup]


def read_quality(engine: Engine, window: Window, model_version: str | None = None) -> QualityReading:
    """Read what is known of the answers of a window.

    Counts of answers are exact, over all rows that reached the records. Labelled alarms are those of all recorded
    ones, as outliers always are; of the inliers, only those count that the audit queue has come to.

    Parameters
    ----------
    engine
        The database.
    window
        The hours to read.
    model_version
        Read the answers of this version alone; by default, of all.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        If the database cannot be read.
    """
    with engine.connect() as connection:
        # The labels first: what is written between the two queries then is at most counted and not yet labelled.
        rows, counts = read_judged_rows(connection, window), read_counts(connection, window)
    if model_version is not None:
        rows = _choose(rows, rows.model_versions == model_version)
        counts = [count for count in counts if count.model_version == model_version]
    by_day = _group(rows, counts, rows.days, lambda count: count.day)
    return QualityReading(
        window,
        _gather(rows, counts),
        _group(rows, counts, rows.model_versions, lambda count: count.model_version),
        _group(rows, counts, rows.segments, lambda count: count.segment),
        {datetime.fromtimestamp(day, UTC).date(): group for day, group in by_day.items()},
    )


def _group(
    rows: JudgedRows, counts: Iterable[AnswerCount], keys: NDArray[Any], key_of: Callable[[AnswerCount], Key]
) -> dict[Key, AnswerGroup]:
    """Gather rows and counts by a key; ``keys`` holds that of each row."""
    by_key: dict[Key, list[AnswerCount]] = {}
    for count in counts:
        by_key.setdefault(key_of(count), []).append(count)
    return {key: _gather(_choose(rows, keys == key), by_key[key]) for key in sorted(by_key)}  # type: ignore[type-var]


def _choose(rows: JudgedRows, chosen: NDArray[np.bool_]) -> JudgedRows:
    """Keep some of the rows."""
    return JudgedRows(**{name: column[chosen] for name, column in vars(rows).items()})


def _gather(rows: JudgedRows, counts: Sequence[AnswerCount]) -> AnswerGroup:
    """Tell labelled alarms from audited inliers, and count all answers."""
    n_rows, n_alarms = sum(count.n_rows for count in counts), sum(count.n_outliers for count in counts)
    alarms = rows.is_alarm & rows.is_labelled
    drawn = ~np.isnan(rows.probabilities)  # of inliers only
    audits = drawn & rows.is_labelled
    answers = LabelledAnswers(
        # An id is made just before its answer: at the end of the last hour, the answer may be counted in the next one.
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
