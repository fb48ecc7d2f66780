"""The detectors get a uniform sample of bounded size, in the order of arrival."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from app.model.scoring import ScoredRows
from app.recorder.drift_sample import RowSample


def _numbered(first: int, n_rows: int) -> ScoredRows:
    """Return rows whose values all equal their number."""
    numbers = np.arange(first, first + n_rows)
    return ScoredRows(numbers[:, None].astype(np.float32), numbers.astype(float), numbers, numbers.astype(float))


@given(st.lists(st.integers(1, 60), max_size=40), st.integers(1, 30))
def test_sample_has_the_maximum_size_and_is_in_order(batches: list[int], max_rows: int):
    """No row appears twice; score and label stay with their row."""
    sample = RowSample(max_rows, seed=1)
    n_rows = 0
    for batch in batches:
        sample.add(_numbered(n_rows, batch))
        n_rows += batch
    taken = sample.take()

    if n_rows == 0:
        assert taken is None
        return
    assert len(taken.scores) == min(max_rows, n_rows)
    assert (np.diff(taken.scores) > 0).all()
    for field in (taken.rows[:, 0], taken.labels, taken.confidences):
        np.testing.assert_array_equal(field, taken.scores)
    assert sample.take() is None


def test_every_row_has_the_same_probability():
    """The first and the last, in large batches and alone."""
    batches = [1] * 20 + [50] + [1] * 20 + [10]
    counts: Counter[int] = Counter()
    sample = RowSample(max_rows=5, seed=1)
    for _ in range(4000):
        first = 0
        for batch in batches:
            sample.add(_numbered(first, batch))
            first += batch
        counts.update(sample.take().labels.tolist())

    # With this seed; a sampler that favours anybody gives far smaller values.
    assert chisquare([counts[row] for row in range(100)]).pvalue > 0.01


def test_all_rows_stay_below_the_limit():
    """Nothing is random then."""
    sample = RowSample(max_rows=100)
    sample.add(_numbered(0, 60))
    sample.add(_numbered(60, 40))

    assert sample.take().labels.tolist() == list(range(100))
