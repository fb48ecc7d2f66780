"""Figures of several processes and stretches of time add up to what one list of all requests would say."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.figures import Figures

TIMES = st.lists(st.floats(0.02, 100_000), min_size=1, max_size=60)


def recorded(times):
    """Record requests that took these milliseconds, one a second."""
    figures = Figures()
    for second, milliseconds in enumerate(times, start=1):
        figures.record(milliseconds, at_second=float(second))
    return figures


@given(times=TIMES, share=st.floats(0.01, 1))
def test_percentile_is_that_of_all_times_within_a_bin(times, share):
    """The percentile is never shorter than the true one, and at most 1 % longer."""
    true = sorted(times)[math.ceil(round(share * len(times), 6)) - 1]

    assert true * 0.999999 <= recorded(times).percentile(share) <= true * 1.010001


@given(one=TIMES, other=TIMES)
def test_processes_add_up(one, other):
    """What two processes send as JSON is what one would have recorded; the time is that of the longer."""
    total = Figures()
    for times in (one, other):
        total.add(Figures.from_message(json.loads(json.dumps(recorded(times).to_message()))))

    assert total.bins == recorded(one + other).bins
    assert total.requests == len(one) + len(other)
    assert total.seconds == max(len(one), len(other))


def test_stretch_holds_what_came_in_it():
    """What is subtracted is left out, and later requests do not change the copy."""
    figures = recorded([1.0] * 10)
    earlier = figures.copy()
    for second in (11.0, 12.0):
        figures.record(100.0, at_second=second, has_failed=True, answered=False)

    stretch = figures.since(earlier)

    assert (stretch.requests, stretch.failures, stretch.unanswered, stretch.rate) == (2, 2, 2, 1.0)
    assert stretch.percentile(0.5) == pytest.approx(100, rel=0.01)
    assert earlier == recorded([1.0] * 10)


def test_nothing_measured_is_zero():
    """Without a request there is no division by zero."""
    nothing = Figures()

    assert (nothing.rate, nothing.fail_ratio, nothing.percentile(0.95)) == (0, 0, 0)


def test_time_of_nothing_has_a_bin():
    """A clock that stood still is no error."""
    assert recorded([0.0]).percentile(1) < 0.011
