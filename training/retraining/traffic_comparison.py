"""Compare two models on recorded traffic: how many rows each flags, where they agree, and where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.model.forest import OUTLIER, Forest
from app.records.reading import LabelledRows, RecordedPage, RecordedRows
from app.records.timestamps import SECONDS_PER_DAY
from training.retraining.quality_comparison import CELLS, CellCounts, HoldoutRows
from training.retraining.split import split_rows

# Rows that only the candidate flags, and as many that only the live model flags: what a person reads.
_MAX_DIFFERENCES = 20

# Scores are in [-1, 0]; the steps are fine enough to see a threshold between two bars.
SCORE_EDGES = np.linspace(-1, 0, 101)


@dataclass(frozen=True)
class Difference:
    """A row to which the models give different labels.

    Parameters
    ----------
    record_id, row
        Its record, and its number in the record.
    answered_at
        Seconds since 1970.
    features
        Shape ``(n_features,)``.
    live_score, candidate_score
        In [-1, 0]: the lower, the more abnormal.
    strength
        Distance of the two scores, each measured from its model's threshold.
    known
        True label: True outlier, False inlier, None unknown.
    """

    record_id: str
    row: int
    answered_at: float
    features: NDArray[np.float32]
    live_score: float
    candidate_score: float
    strength: float
    known: bool | None


@dataclass
class Traffic:
    """Counts of the rows of a period; each recorded row is weighted by its inverse inclusion probability.

    Parameters
    ----------
    n_recorded
        Recorded rows.
    cells, variances
        See :class:`~training.retraining.quality_comparison.CellCounts`.
    days
        For each day (number of days since 1970, UTC): rows, rows that the live model flags, rows that the candidate
        flags.
    scores
        Rows between the ``SCORE_EDGES``, of the live model and the candidate; shape ``(2, 100)``.
    differences
        By whether the candidate flags the row; the strongest first.
    """

    n_recorded: int = 0
    cells: NDArray[np.float64] = field(default_factory=lambda: np.zeros(CELLS))
    variances: NDArray[np.float64] = field(default_factory=lambda: np.zeros(CELLS))
    days: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, len(SCORE_EDGES) - 1)))
    differences: dict[bool, list[Difference]] = field(default_factory=lambda: {True: [], False: []})

    @property
    def counts(self) -> CellCounts:
        """The number of answered rows in each cell."""
        return CellCounts(self.cells, self.variances)


@dataclass(frozen=True)
class TrafficComparison:
    """How two models label the same traffic.

    Parameters
    ----------
    whole
        All rows of the period.
    latest
        The rows of its last days.
    latest_since
        Start of these days, in seconds since 1970.
    """

    whole: CellCounts
    latest: Traffic
    latest_since: float


def compare_on_traffic(
    pages: Iterable[RecordedPage],
    live: Forest,
    candidate: Forest,
    labelled: LabelledRows,
    latest_since: float,
    on_progress: Callable[[int], None] = lambda n_read: None,
) -> TrafficComparison:
    """Score recorded rows with both models, one page at a time.

    Parameters
    ----------
    pages
        The recorded rows.
    live, candidate
        The models.
    labelled
        The labelled rows.
    latest_since
        Start of the last days, in seconds since 1970.
    on_progress
        Called after each page with the number of rows scored so far.
    """
    keys = zip(labelled.rows.record_ids, labelled.rows.rows, strict=True)
    known = dict(zip(keys, labelled.is_known_outlier.tolist(), strict=True))
    whole, latest, n_read = Traffic(), Traffic(), 0
    for page in pages:
        rows = page.rows
        answers = [live.score_and_label(rows.features), candidate.score_and_label(rows.features)]
        scores, labels = (np.stack(parts) for parts in zip(*answers, strict=True))
        flags = labels == OUTLIER
        _count_cells(whole, rows, flags, np.ones(len(rows), bool))
        is_latest = rows.answered_at >= latest_since
        _count_cells(latest, rows, flags, is_latest)
        _count_days_and_scores(latest, rows, flags, scores, is_latest)
        margins = scores - np.array([[live.offset], [candidate.offset]])
        strengths = np.where(is_latest, np.abs(margins[0] - margins[1]), -1)
        _collect_differences(latest, rows, flags, scores, strengths, known)
        n_read += len(rows)
        on_progress(n_read)
    return TrafficComparison(whole.counts, latest, latest_since)


def label_holdout(labelled: LabelledRows, live: Forest, candidate: Forest) -> HoldoutRows:
    """Label the labelled rows of the holdout set with both models.

    These are the labelled alarms and the audited rows that the candidate was not trained on. A row that was answered as
    an inlier and labelled without being drawn for an audit represents no others: somebody had a reason to look at it.
    """
    rows = labelled.rows
    is_holdout, _ = split_rows(rows.record_ids, rows.rows)
    is_audited = ~rows.is_outlier & ~np.isnan(labelled.audit_probabilities)
    chosen = is_holdout & (rows.is_outlier | is_audited)
    features = rows.features[chosen]
    answered = rows.is_outlier[chosen]
    return HoldoutRows(
        answered,
        live.score_and_label(features)[1] == OUTLIER,
        candidate.score_and_label(features)[1] == OUTLIER,
        labelled.is_known_outlier[chosen],
        # Alarms are all recorded, so each counts once; audited rows are weighted by their inverse probability.
        np.where(answered, 1.0, 1 / np.where(answered, 1.0, labelled.audit_probabilities[chosen])),
    )


def _count_cells(traffic: Traffic, rows: RecordedRows, flags: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> None:
    """Count the rows of each cell, and estimate the variances of the counts."""
    weights = 1 / rows.recorded_shares[chosen]
    cells = (rows.is_outlier[chosen] * 4 + flags[0, chosen] * 2 + flags[1, chosen]).astype(np.int64)
    traffic.n_recorded += len(weights)
    traffic.cells += np.bincount(cells, weights, minlength=8).reshape(CELLS)
    # The Horvitz-Thompson estimator, for rows that are drawn independently.
    traffic.variances += np.bincount(cells, weights * (weights - 1), minlength=8).reshape(CELLS)


def _count_days_and_scores(
    traffic: Traffic,
    rows: RecordedRows,
    flags: NDArray[np.bool_],
    scores: NDArray[np.float64],
    chosen: NDArray[np.bool_],
) -> None:
    """Count rows by day and by score."""
    weights = 1 / rows.recorded_shares[chosen]
    days = (rows.answered_at[chosen] // SECONDS_PER_DAY).astype(np.int64)
    for day in np.unique(days).tolist():
        of_day = days == day
        counts = np.array([weights[of_day].sum(), *(weights[of_day & each[chosen]].sum() for each in flags)])
        traffic.days[day] = traffic.days.get(day, 0) + counts
    for model in (0, 1):
        traffic.scores[model] += np.histogram(scores[model, chosen], SCORE_EDGES, weights=weights)[0]


def _collect_differences(
    traffic: Traffic,
    rows: RecordedRows,
    flags: NDArray[np.bool_],
    scores: NDArray[np.float64],
    strengths: NDArray[np.float64],
    known: dict[tuple[str, int], bool],
) -> None:
    """Store the strongest differences of either kind; rows with a strength below 0 are skipped."""
    for candidate_flags, strongest in traffic.differences.items():
        differing = np.flatnonzero((flags[0] != flags[1]) & (flags[1] == candidate_flags) & (strengths >= 0))
        chosen = differing[np.argsort(-strengths[differing], kind="stable")][:_MAX_DIFFERENCES].tolist()
        strongest += [
            Difference(
                rows.record_ids[place],
                rows.rows[place],
                float(rows.answered_at[place]),
                rows.features[place],
                float(scores[0, place]),
                float(scores[1, place]),
                float(strengths[place]),
                known.get((rows.record_ids[place], rows.rows[place])),
            )
            for place in chosen
        ]
        strongest.sort(key=lambda difference: -difference.strength)
        del strongest[_MAX_DIFFERENCES:]
