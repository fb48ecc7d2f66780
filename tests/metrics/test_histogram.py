"""Observing many values at once is the same as observing one after the other."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from app.metrics.histogram import VectorHistogram
from app.metrics.service import SCORES

# Includes the bounds themselves: a value on a bound belongs to its bucket.
values = st.lists(st.sampled_from(SCORES) | st.floats(-1.5, 0.5), max_size=50)


@given(values, values)
def test_buckets_equal_those_of_single_observations(first: list[float], second: list[float]):
    """Every bucket, the count and the sum are the same."""
    expected, actual = CollectorRegistry(), CollectorRegistry()
    one_by_one = Histogram("scores", "Scores.", buckets=SCORES, registry=expected)
    at_once = VectorHistogram("scores", "Scores.", buckets=SCORES, registry=actual)
    for batch in (first, second):
        at_once.observe_many(np.array(batch, np.float64))
        for value in batch:
            one_by_one.observe(value)

    def counts(registry: CollectorRegistry) -> list[str]:
        lines = generate_latest(registry).decode().splitlines()
        return [line for line in lines if not line.startswith(("#", "scores_sum", "scores_created"))]

    assert counts(actual) == counts(expected)
    sums = [registry.get_sample_value("scores_sum") for registry in (actual, expected)]
    assert sums[0] == pytest.approx(sums[1], abs=1e-12)
