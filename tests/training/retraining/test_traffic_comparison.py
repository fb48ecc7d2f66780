"""Two models are compared on the same recorded rows, weighted by their inclusion probability."""

from __future__ import annotations

import numpy as np
import pytest

from app.model.forest import Forest, Threshold
from app.model.forest_arrays import ForestArrays
from app.records.reading import LabelledRows, RecordedPage, RecordedRows
from training.retraining.split import split_rows
from training.retraining.traffic_comparison import compare_on_traffic, label_holdout

DAY = 86_400


def split_at(threshold: float) -> Forest:
    """Make a forest of one feature that flags values above a threshold: they score -0.71, all others -0.5."""
    arrays = ForestArrays(
        feature=np.array([0, 0, 0], np.int32),
        threshold=np.array([threshold, 0, 0], np.float64),
        children=np.array([[1, 2], [1, 1], [2, 2]], np.int32),
        path_length=np.array([0, 2.0, 1.0]),
        roots=np.array([0], np.int32),
        path_length_scale=np.asarray(2.0),
        n_features=np.asarray(1, np.int32),
    )
    return Forest(arrays, Threshold.find(-0.6, arrays))


LIVE, CANDIDATE = split_at(10), split_at(5)


def rows_of(values, is_outlier=None, shares=None, answered_at=None) -> RecordedRows:
    """Make rows of one feature."""
    n_rows = len(values)
    return RecordedRows(
        [f"{place:032x}" for place in range(n_rows)],
        [0] * n_rows,
        np.zeros(n_rows) if answered_at is None else np.array(answered_at, float),
        np.array(values, np.float32).reshape(-1, 1),
        np.array(values) > 10 if is_outlier is None else is_outlier,
        np.ones(n_rows) if shares is None else np.array(shares),
    )


NOTHING_KNOWN = LabelledRows(rows_of([]), np.empty(0, bool), np.empty(0))


def compare(rows: RecordedRows, labelled: LabelledRows = NOTHING_KNOWN, latest_since: float = 0.0):
    """Compare both models on one page of records."""
    return compare_on_traffic([RecordedPage(rows, 0, 0)], LIVE, CANDIDATE, labelled, latest_since)


def test_rows_are_weighted_by_their_inclusion_probability():
    """A row recorded with probability 0.1 counts as ten, and the variance is known."""
    counts = compare(rows_of([1, 7, 20], shares=[0.1, 0.5, 1])).whole

    assert counts.rows[0, 0, 0] == 10
    assert counts.rows[0, 0, 1] == 2
    assert counts.rows[1, 1, 1] == 1
    assert (counts.variances[0, 0, 0], counts.variances[0, 0, 1], counts.variances[1, 1, 1]) == (90, 2, 0)
    assert counts.flagged_share(0) == pytest.approx(1 / 13)
    assert counts.flagged_share(1) == pytest.approx(3 / 13)
    assert counts.agreement == pytest.approx(11 / 13)


def test_latest_days_are_counted_separately():
    """By day, for each model."""
    rows = rows_of([1, 7, 20, 1], answered_at=[0.5 * DAY, 1.5 * DAY, 2.1 * DAY, 2.9 * DAY])

    traffic = compare(rows, latest_since=1.2 * DAY)

    assert traffic.whole.rows.sum() == 4
    assert traffic.latest.n_recorded == 3
    assert {day: counts.tolist() for day, counts in traffic.latest.days.items()} == {1: [1, 0, 1], 2: [2, 1, 1]}
    assert traffic.latest.scores.sum(axis=1).tolist() == [3, 3]


def test_largest_differences_are_listed_with_true_labels():
    """At most twenty rows of the latest days, with both scores."""
    rows = rows_of([7] * 30 + [1, 20], answered_at=[0, *range(100, 131)])
    known = LabelledRows(rows_of([7, 7]), np.array([False, True]), np.full(2, np.nan))

    differences = compare(rows, known, latest_since=100).latest.differences

    assert len(differences[True]) == 20
    assert differences[False] == []
    first = differences[True][0]
    assert (first.record_id, first.known) == (f"{1:032x}", True)
    assert (first.live_score, first.candidate_score) == pytest.approx((-0.5, -(2**-0.5)))
    assert {difference.known for difference in differences[True][1:]} == {None}


def test_only_audits_and_alarms_of_the_holdout_set_are_used():
    """A complaint about an inlier is not a random sample, so it does not count."""
    n_rows = 400
    values = np.tile([1.0, 20.0], n_rows // 2)
    rows = rows_of(values)
    audited = np.where(np.arange(n_rows) % 4 == 0, 0.25, np.nan)
    labelled = LabelledRows(rows, values > 10, audited)
    is_holdout, _ = split_rows(rows.record_ids, rows.rows)

    holdout = label_holdout(labelled, LIVE, CANDIDATE)

    assert holdout.answered.sum() == (is_holdout & (values > 10)).sum()
    assert (~holdout.answered).sum() == (is_holdout & ~np.isnan(audited)).sum()
    assert set(holdout.weights[holdout.answered]) == {1}
    assert set(holdout.weights[~holdout.answered]) == {4}
    assert (holdout.live == holdout.is_outlier).all()
