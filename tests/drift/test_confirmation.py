"""The plan keeps the rate of false events, with as few windows as possible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.drift.detector import plan_confirmation


@given(
    run_time=st.integers(100, 50_000),
    rows_per_second=st.floats(0.001, 10_000),
    days=st.floats(0.01, 3650),
    n_detectors=st.integers(1, 8),
)
def test_at_most_one_false_event_in_the_configured_time(run_time, rows_per_second, days, n_detectors):
    """An eighth of one, since calibration rows are a sample; one window less would need a share below 0.05."""
    plan = plan_confirmation(run_time, rows_per_second, days, n_detectors)

    false_alarms = n_detectors * rows_per_second * days * 86_400 / run_time
    assert false_alarms * plan.false_share <= 0.125 + 1e-9
    assert plan.n_windows >= 1
    assert 0.05 * (1 - 1e-9) <= plan.share <= 0.25
    if plan.n_windows > 1:
        assert (8 * false_alarms) ** (-1 / (plan.n_windows - 1)) < 0.05


@pytest.mark.parametrize("name", ["run_time", "rows_per_second", "false_alarm_days", "n_detectors"])
def test_numbers_that_are_not_positive_are_refused(name):
    """The message names it."""
    numbers = {"run_time": 300, "rows_per_second": 100, "false_alarm_days": 30, "n_detectors": 4}

    with pytest.raises(ValueError, match=f"{name} is 0; pass a number above 0"):
        plan_confirmation(**numbers | {name: 0})
