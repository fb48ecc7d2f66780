"""Measurements of several processes and periods add up to those of all requests together."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.measurements import Measurements

TIMES = st.lists(st.floats(0.02, 100_000), min_size=1, max_size=60)


def recorded(times):
    """Record requests with these response times, one per second."""
    measurements = Measurements()
    for second, milliseconds in enumerate(times, start=1):
        measurements.record(milliseconds, at_second=float(second))
    return measurements


@given(times=TIMES, share=st.floats(0.01, 1))
def test_percentile_is_accurate_within_a_bin(times, share):
    """The percentile is never below the true one, and at most 1 % above it."""
    true = sorted(times)[math.ceil(round(share * len(times), 6)) - 1]

    assert true * 0.999999 <= recorded(times).percentile(share) <= true * 1.010001


@given(one=TIMES, other=TIMES)
def test_processes_add_up(one, other):
    """Two processes' serialized measurements add up to those of one process; the time is the longer one."""
    total = Measurements()
    for times in (one, other):
        total.add(Measurements.from_message(json.loads(json.dumps(recorded(times).to_message()))))

    assert total.bins == recorded(one + other).bins
    assert total.requests == len(one) + len(other)
    assert total.seconds == max(len(one), len(other))


def test_since_returns_later_measurements_only():
    """Earlier requests are subtracted, and later requests do not change the copy."""
    measurements = recorded([1.0] * 10)
    earlier = measurements.copy()
    for second in (11.0, 12.0):
        measurements.record(100.0, at_second=second, failed=True, answered=False)

    later = measurements.since(earlier)

    assert (later.requests, later.failures, later.unanswered, later.rate) == (2, 2, 2, 1.0)
    assert later.percentile(0.5) == pytest.approx(100, rel=0.01)
    assert earlier == recorded([1.0] * 10)


def test_empty_measurements_are_zero():
    """Without requests nothing is divided by zero."""
    nothing = Measurements()

    assert (nothing.rate, nothing.fail_ratio, nothing.percentile(0.95)) == (0, 0, 0)


def test_zero_response_time_has_a_bin():
    """A response time of 0 ms is not an error."""
    assert recorded([0.0]).percentile(1) < 0.011
