"""Wilson's interval equals that of SciPy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from app.quality.intervals import wilson_interval


@given(
    n_labels=st.integers(1, 100_000),
    share=st.floats(0, 1),
    confidence=st.sampled_from([0.8, 0.95, 0.99]),
)
def test_interval_equals_scipy(n_labels, share, confidence):
    """Even at the ends, where no label or every label is a hit."""
    hits = round(share * n_labels)

    interval = wilson_interval(hits, n_labels, confidence)

    expected = binomtest(hits, n_labels).proportion_ci(confidence, method="wilson")
    assert interval == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert 0 <= interval[0] <= hits / n_labels <= interval[1] <= 1


@pytest.mark.parametrize(("hits", "n_labels"), [(0, 0), (3, 2), (-1, 2)])
def test_invalid_counts_are_refused(hits, n_labels):
    """The message has the arguments."""
    with pytest.raises(ValueError, match=f"{hits} hits of {n_labels} labels are no share; pass at least one label"):
        wilson_interval(hits, n_labels)
