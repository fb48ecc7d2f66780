"""Counts recorded answers for each of many thresholds, in the database: one pass, whatever the number of thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Engine, Select, case, func, literal_column, or_, select

from app.db.tables import HOURLY_COUNTS, PREDICTIONS
from app.model.forest import OUTLIER
from app.quality.labels import labelling_probabilities
from app.quality.reviewed_rows import ReviewedRows
from app.quality.what_if import CountedAnswers, KnownAnswers
from app.records.quality_query import read_reviewed_rows
from app.records.window import Window


@dataclass(frozen=True)
class LiveThreshold:
    """The live version, its threshold as a score, and the share of inliers that the service records, in (0, 1]."""

    version: str
    score: float
    recorded_share: float


@dataclass(frozen=True)
class _Traffic:
    """The versions with the live forest that answered in a window, all their answers, and the first hour with some."""

    versions: tuple[str, ...]
    n_rows: int
    first_hour: float


def read_threshold_counts(
    engine: Engine, live: LiveThreshold, window: Window, thresholds: NDArray[np.float64], now: float
) -> tuple[CountedAnswers, KnownAnswers]:
    """Count the answers of a forest for each threshold, and read the answers with a label.

    Parameters
    ----------
    engine
        The database.
    live
        The live version; versions with the same forest have the same last eight digits.
    window
        The hours to read.
    thresholds
        Scores, ascending and different.
    now
        Seconds since 1970.
    """
    with engine.connect() as connection:
        # The labels first: a row that is written between the two queries is then counted without its label.
        reviewed = read_reviewed_rows(connection, window)
        traffic = _read_traffic(connection, live.version[-8:], window, now)
        found = connection.execute(_count_query(window, traffic.versions, thresholds.tolist())).all()
    below: dict[str, NDArray[np.float64]] = {
        name: np.zeros(len(thresholds) + 1)
        for name in ("n_rows", "n_alarms", "n_sampled", "total", "squares", "variance")
    }
    highest_alarm = dict.fromkeys(traffic.versions, -1.0)
    smallest_share = live.recorded_share
    for row in found:
        for name, counts in below.items():
            if name != "n_alarms":
                counts[row.bucket] += float(getattr(row, name))
        smallest_share = min(smallest_share, row.smallest_share)
        if row.is_inlier == OUTLIER:
            below["n_alarms"][row.bucket] += row.n_rows
            highest_alarm[row.model_version] = max(highest_alarm[row.model_version], row.highest)
    sums = {name: np.cumsum(counts)[:-1] for name, counts in below.items()}
    # Labels depend on the score only: below a version's highest alarm, every answer was an alarm.
    highest_alarm |= {live.version: live.score} if live.version in highest_alarm else {}
    counted = CountedAnswers(
        thresholds=thresholds,
        n_below=sums["n_rows"].astype(np.int64),
        n_sampled=sums["n_sampled"].astype(np.int64),
        sampled_total=sums["total"],
        sampled_squares=sums["squares"],
        sampled_variance=sums["variance"],
        n_alarms_above=(below["n_alarms"].sum() - sums["n_alarms"]).astype(np.int64),
        n_rows=max(traffic.n_rows, int(below["n_rows"].sum())),
        n_seconds=now - traffic.first_hour,
        largest_weight=1 / smallest_share,
        all_alarms_below=min(highest_alarm.values(), default=live.score),
    )
    return counted, _select_known(reviewed, traffic.versions)


def _read_traffic(connection: Connection, forest: str, window: Window, now: float) -> _Traffic:
    """Count all answers of the versions whose name ends with the digits of a forest."""
    count = HOURLY_COUNTS.c
    statement = (
        select(count.model_version, func.sum(count.n_rows), func.min(count.hour))
        .where(count.hour >= window.first_hour, count.hour < window.end_hour)
        .group_by(count.model_version)
    )
    found = [tuple(row) for row in connection.execute(statement) if row[0].endswith(forest)]
    hours = [float(hour) for *_, hour in found]
    return _Traffic(tuple(row[0] for row in found), sum(int(row[1]) for row in found), min(hours, default=now))


def _count_query(window: Window, versions: Sequence[str], thresholds: Sequence[float]) -> Select[Any]:
    """Return the query: rows that no threshold flags and that were no alarms are skipped early."""
    answer = PREDICTIONS.c
    first_id, end_id = window.record_ids
    weight = 1.0 / answer.recorded_share
    # 1 for a sampled row, and 0 for one that was certain to be recorded.
    sampled = case((answer.recorded_share < 1, 1.0), else_=0.0)
    bucket = _bucket_of(answer.score, thresholds).label("bucket")
    return (
        select(
            bucket,
            answer.model_version,
            answer.is_inlier,
            func.count().label("n_rows"),
            func.sum(sampled).label("n_sampled"),
            func.sum(sampled * weight).label("total"),
            func.sum(sampled * weight * weight).label("squares"),
            func.sum(weight * (weight - 1.0)).label("variance"),
            func.min(answer.recorded_share).label("smallest_share"),
            func.max(answer.score).label("highest"),
        )
        .where(
            answer.record_id >= first_id,
            answer.record_id < end_id,
            or_(answer.score < thresholds[-1], answer.is_inlier == OUTLIER),
            answer.model_version.in_(versions),
        )
        .group_by("bucket", answer.model_version, answer.is_inlier)
    )


def _bucket_of(score: ColumnElement[float], thresholds: Sequence[float], first: int = 0) -> ColumnElement[int]:
    """Return how many thresholds are not above a score, by bisection, starting at ``first``."""
    if not thresholds:
        return literal_column(str(first))
    middle = len(thresholds) // 2
    return case(
        (score < thresholds[middle], _bucket_of(score, thresholds[:middle], first)),
        else_=_bucket_of(score, thresholds[middle + 1 :], first + middle + 1),
    )


def _select_known(reviewed: ReviewedRows, versions: Sequence[str]) -> KnownAnswers:
    """Select labelled alarms and audited inliers of some versions."""
    drawn = ~reviewed.is_alarm & reviewed.is_reached & np.isin(reviewed.model_versions, versions)
    alarms = reviewed.is_alarm & reviewed.is_labelled & np.isin(reviewed.model_versions, versions)
    probabilities = np.full(len(drawn), np.nan)
    audited = drawn & reviewed.is_labelled
    probabilities[audited] = labelling_probabilities(
        reviewed.probabilities[drawn], reviewed.was_labelled_before[drawn], reviewed.is_labelled[drawn]
    )
    chosen = alarms | audited
    return KnownAnswers(
        reviewed.scores[chosen], reviewed.is_alarm[chosen], reviewed.is_outlier[chosen], probabilities[chosen]
    )
