"""Rows to train the next model on: those of one half of the records, each with the same chance."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.records.reading import LabelledRows, Period, RecordedPage
from training.data.dataset import Dataset
from training.errors import BadData
from training.retraining.split import EqualChanceSample, deal

# With fewer, a share of a hundredth to flag would be decided by a handful of rows.
FEWEST_ROWS = 1000


@dataclass(frozen=True)
class RecordCounts:
    """What became of the rows of a period.

    Parameters
    ----------
    read
        All that are recorded.
    other_features, without_features
        Left out: of models with other features, or recorded without features.
    judging
        Of the half that judges.
    shaping
        Of the half that shapes the model.
    kept
        Of these, what was drawn to train on.
    chance
        With which chance each answered row of the shaping half is among them, in (0, 1].
    labelled_outliers
        Rows among them that were labelled outliers.
    excluded_outliers
        How many of these shape no tree: all or none.
    """

    read: int
    other_features: int
    without_features: int
    judging: int
    shaping: int
    kept: int
    chance: float
    labelled_outliers: int
    excluded_outliers: int


@dataclass(frozen=True)
class TrainingRecords:
    """Rows to train on.

    Parameters
    ----------
    data
        The rows, oldest first.
    is_labelled_outlier
        Which of them were labelled outliers, shape ``(n_rows,)``.
    period
        When they were answered.
    counts
        What became of the others.
    """

    data: Dataset
    is_labelled_outlier: NDArray[np.bool_]
    period: Period
    counts: RecordCounts


def read_training_records(
    pages: Iterable[RecordedPage],
    labelled: LabelledRows,
    names: tuple[str, ...],
    period: Period,
    limit: int,
    exclude_outliers: bool,
    on_progress: Callable[[int], None] = lambda n_read: None,
) -> TrainingRecords:
    """Draw the rows to train on.

    Parameters
    ----------
    pages
        All recorded rows of the period.
    labelled
        Those whose label is known.
    names
        The features.
    period
        When the rows were answered.
    limit
        The most rows to keep.
    exclude_outliers
        Whether rows that were labelled outliers shall shape no tree.
    on_progress
        Called after each page with the number of rows that were read.

    Raises
    ------
    BadData
        If there are too few rows.
    """
    known_outliers = {
        key for key, is_outlier in zip(_keys(labelled), labelled.is_known_outlier.tolist(), strict=True) if is_outlier
    }
    sample = EqualChanceSample(limit)
    read = other_features = without_features = judging = shaping = 0
    for page in pages:
        rows = page.rows
        judges, drawn = deal(rows.record_ids, rows.rows)
        marks = np.array([key in known_outliers for key in zip(rows.record_ids, rows.rows, strict=True)], bool)
        sample.add(rows.features[~judges], marks[~judges], rows.recorded_shares[~judges], drawn[~judges])
        read += len(rows) + page.n_other_features + page.n_without_features
        other_features += page.n_other_features
        without_features += page.n_without_features
        judging += int(judges.sum())
        shaping += int((~judges).sum())
        on_progress(read)
    features, is_labelled_outlier = sample.take()
    counts = RecordCounts(
        read=read,
        other_features=other_features,
        without_features=without_features,
        judging=judging,
        shaping=shaping,
        kept=len(features),
        chance=sample.chance,
        labelled_outliers=int(is_labelled_outlier.sum()),
        excluded_outliers=int(is_labelled_outlier.sum()) if exclude_outliers else 0,
    )
    _require_enough(counts, period)
    rows_in_double = features.astype(np.float64)
    data = Dataset(
        names,
        rows_in_double,
        Path(f"records since {say_time(period.since)}"),
        hashlib.sha256(features.astype("<f4").tobytes()).hexdigest(),
        names,
        records=describe_records(period, counts),
    )
    return TrainingRecords(data, is_labelled_outlier, period, counts)


def describe_records(period: Period, counts: RecordCounts) -> dict[str, Any]:
    """Note where rows come from, as strict JSON values."""
    return {"since": say_time(period.since), "until": say_time(period.until), **asdict(counts)}


def say_time(seconds: float) -> str:
    """Write a moment in UTC.

    Examples
    --------
    >>> say_time(0)
    '1970-01-01 00:00 UTC'
    """
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _keys(labelled: LabelledRows) -> Iterable[tuple[str, int]]:
    """Name the labelled rows."""
    return zip(labelled.rows.record_ids, labelled.rows.rows, strict=True)


def _require_enough(counts: RecordCounts, period: Period) -> None:
    """Refuse what no model should be made of, with the most likely reason."""
    if counts.kept >= FEWEST_ROWS:
        return
    since = say_time(period.since)
    if not counts.read:
        raise BadData(f"There are no records since {since}; name an earlier day with --since.")
    if counts.without_features > counts.read / 2:
        raise BadData(
            f"{counts.without_features:,} of the {counts.read:,} recorded rows since {since} were kept without their "
            "features; set RECORD_FEATURES=true, and retrain when enough rows have come."
        )
    if counts.other_features > counts.read / 2:
        raise BadData(
            f"{counts.other_features:,} of the {counts.read:,} recorded rows since {since} have other features than "
            "the live model; retrain when enough rows have come for it."
        )
    thinned = (
        f", because some rows were recorded with a share of {counts.chance:g}" if counts.kept < counts.shaping else ""
    )
    raise BadData(
        f"The {counts.read:,} recorded rows since {since} leave {counts.kept:,} to train on{thinned}; retraining needs "
        f"at least {FEWEST_ROWS:,}: wait for more, or name another --since."
    )
