"""Read the rows to train the next model on: a sample of the train set, each answered row with the same probability."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.model.schema import Features
from app.records.reading import LabelledRows, Period, RecordedPage
from app.records.timestamps import format_timestamp
from training.data.choices import Choices
from training.data.dataset import Dataset
from training.errors import BadData
from training.retraining.split import EqualProbabilitySample, split_rows

# With fewer, a contamination of 0.01 would be decided by a handful of rows.
MIN_ROWS = 1000


@dataclass(frozen=True)
class RecordCounts:
    """How the rows of a period were used; the names are those of the manifest.

    Parameters
    ----------
    read
        All recorded rows.
    other_features, without_features
        Left out, because they are of models with other features, or were recorded without features.
    judging
        Rows in the holdout set.
    shaping
        Rows in the train set.
    kept
        Rows of the train set that were drawn to train on.
    chance
        Inclusion probability of each answered row of the train set, in (0, 1].
    labelled_outliers
        Training rows that were labelled outliers.
    excluded_outliers
        How many of these are left out when trees are grown: all or none.
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
        Which training rows were labelled outliers, shape ``(n_rows,)``.
    period
        When they were answered.
    counts
        How all rows of the period were used.
    """

    data: Dataset
    is_labelled_outlier: NDArray[np.bool_]
    period: Period
    counts: RecordCounts


def read_training_records(
    pages: Iterable[RecordedPage],
    labelled: LabelledRows,
    live: Features,
    period: Period,
    limit: int,
    exclude_outliers: bool,
    steps: Sequence[Mapping[str, Any]] = (),
    on_progress: Callable[[int], None] = lambda n_read: None,
) -> TrainingRecords:
    """Read records and draw the rows to train on.

    Parameters
    ----------
    pages
        All recorded rows of the period.
    labelled
        The labelled ones.
    live
        The columns of the live model.
    period
        When the rows were answered.
    limit
        Maximum number of training rows.
    exclude_outliers
        Whether rows that were labelled outliers are left out when trees are grown.
    steps
        The encoding of the live model, which the new one gets.
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
    sample = EqualProbabilitySample(limit)
    read = other_features = without_features = judging = shaping = 0
    for page in pages:
        rows = page.rows
        is_holdout, drawn = split_rows(rows.record_ids, rows.rows)
        marks = np.array([key in known_outliers for key in zip(rows.record_ids, rows.rows, strict=True)], bool)
        chosen = ~is_holdout
        sample.add(rows.features[chosen], marks[chosen], rows.recorded_shares[chosen], drawn[chosen])
        read += len(rows) + page.n_other_features + page.n_without_features
        other_features += page.n_other_features
        without_features += page.n_without_features
        judging += int(is_holdout.sum())
        shaping += int((~is_holdout).sum())
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
        live.names,
        rows_in_double,
        Path(f"records since {format_timestamp(period.since)}"),
        hashlib.sha256(features.astype("<f4").tobytes()).hexdigest(),
        live.names,
        records=describe_records(period, counts),
        levels={name: levels for name, levels in zip(live.names, live.levels, strict=False) if levels},
        choices=Choices(
            allow_missing=frozenset(name for name, may in zip(live.names, live.can_be_missing, strict=False) if may)
        ),
        steps=steps,
        times={name: form for name, form in zip(live.names, live.times, strict=False) if form},
    )
    return TrainingRecords(data, is_labelled_outlier, period, counts)


def describe_records(period: Period, counts: RecordCounts) -> dict[str, Any]:
    """Describe where training rows come from, as strict JSON values."""
    return {"since": format_timestamp(period.since), "until": format_timestamp(period.until), **asdict(counts)}


def _keys(labelled: LabelledRows) -> Iterable[tuple[str, int]]:
    """Return record id and row number of the labelled rows."""
    return zip(labelled.rows.record_ids, labelled.rows.rows, strict=True)


def _require_enough(counts: RecordCounts, period: Period) -> None:
    """Refuse too few training rows, with the most likely reason."""
    if counts.kept >= MIN_ROWS:
        return
    since = format_timestamp(period.since)
    if not counts.read:
        raise BadData(f"There are no records since {since}; use an earlier time with --since.")
    if counts.without_features > counts.read / 2:
        raise BadData(
            f"{counts.without_features:,} of the {counts.read:,} recorded rows since {since} were stored without "
            "features; set RECORD_FEATURES=true, and retrain when there are enough rows."
        )
    if counts.other_features > counts.read / 2:
        raise BadData(
            f"{counts.other_features:,} of the {counts.read:,} recorded rows since {since} have other features than "
            "the live model; retrain when there are enough rows for it."
        )
    thinned = (
        f", because some rows were recorded with probability {counts.chance:g}" if counts.kept < counts.shaping else ""
    )
    raise BadData(
        f"The {counts.read:,} recorded rows since {since} leave {counts.kept:,} to train on{thinned}; retraining needs "
        f"at least {MIN_ROWS:,}: wait for more, or use an earlier --since."
    )
