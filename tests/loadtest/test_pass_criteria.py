"""A load test passes if every criterion is met, and each kind of failure has its exit code."""

from __future__ import annotations

import pytest

from loadtest.measurements import Measurements
from loadtest.pass_criteria import ExitCode, Limits, evaluate, unreachable_result


def measured(requests=100, failures=0, unanswered=0, milliseconds=10.0, seconds=10.0):
    """Return the measurements of identical requests."""
    measurements = Measurements()
    for number in range(requests):
        measurements.record(milliseconds, seconds, failed=number < failures, answered=number >= unanswered)
    return measurements


@pytest.mark.parametrize(
    ("measurements", "limits", "missed"),
    [
        (measured(), Limits(), []),
        (measured(failures=1), Limits(), ["fail ratio"]),
        (measured(failures=1), Limits(max_fail_ratio=0.01), []),
        (measured(failures=2), Limits(max_fail_ratio=0.01), ["fail ratio"]),
        (measured(), Limits(p95_ms=9.9), ["p95"]),
        (measured(), Limits(p95_ms=10.2), []),
        (measured(), Limits(p99_ms=9.9), ["p99"]),
        (measured(), Limits(min_rps=10), []),
        (measured(), Limits(min_rps=10.1), ["rate"]),
        (measured(failures=3), Limits(p95_ms=1, p99_ms=1, min_rps=99), ["fail ratio", "p95", "p99", "rate"]),
        (measured(requests=0), Limits(), ["requests"]),
        (measured(requests=0), Limits(max_fail_ratio=1, p95_ms=1000), ["requests"]),
    ],
)
def test_each_limit_is_checked_separately(measurements, limits, missed):
    """The result names the missed criteria, and passes if there are none."""
    result = evaluate(measurements, limits)

    assert [criterion.name for criterion in result.criteria if not criterion.is_met] == missed
    assert result.exit_code == (ExitCode.MISSED if missed else ExitCode.PASSED)
    assert all(name in result.sentence for name in missed)


def test_slow_tail_shows_in_the_percentile_that_reaches_it():
    """3 slow requests of 100 affect p99, but not p95."""
    measurements = measured(requests=97)
    for _ in range(3):
        measurements.record(500.0, at_second=10.0)

    result = evaluate(measurements, Limits(p95_ms=20, p99_ms=20))

    assert [criterion.name for criterion in result.criteria if not criterion.is_met] == ["p99"]


def test_exception_in_a_user_does_not_pass():
    """A bug in a user's own code fails the load test."""
    result = evaluate(measured(), Limits(), user_errors=2)

    assert result.exit_code is ExitCode.MISSED
    assert "user errors" in result.sentence


def test_no_answer_at_all_is_unreachable():
    """A service that answered nothing is unreachable; a single answer is enough for an evaluation."""
    unanswered = evaluate(measured(requests=5, failures=5, unanswered=5), Limits(max_fail_ratio=1))
    answered_once = evaluate(measured(requests=5, failures=4, unanswered=4), Limits(max_fail_ratio=1))

    assert (unanswered.exit_code, answered_once.exit_code) == (ExitCode.UNREACHABLE, ExitCode.PASSED)


def test_exit_codes_are_those_of_the_table():
    """Scripts rely on the numbers."""
    assert {code.name: int(code) for code in ExitCode} == {"PASSED": 0, "MISSED": 1, "USAGE": 2, "UNREACHABLE": 3}


def test_result_is_printed_with_value_and_limit():
    """The output shows each criterion with its measured value and limit."""
    first, *criteria = str(evaluate(measured(failures=1), Limits(min_rps=5))).splitlines()

    assert first == "Result: missed (exit code 1). 1 of 3 criteria is missed: fail ratio."
    assert [line.split() for line in criteria] == [
        ["requests", "100", "at", "least", "1", "met"],
        ["fail", "ratio", "0.01", "at", "most", "0", "missed"],
        ["rate", "10", "requests/s", "at", "least", "5", "requests/s", "met"],
    ]
    assert str(unreachable_result("Nobody.")) == "Result: unreachable (exit code 3). Nobody."
