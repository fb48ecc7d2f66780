"""A load passes when everything that was asked for is met, and each way to fail has its exit code."""

from __future__ import annotations

import pytest

from loadtest.figures import Figures
from loadtest.pass_criteria import ExitCode, Limits, judge, unreachable


def measured(requests=100, failures=0, unanswered=0, milliseconds=10.0, seconds=10.0):
    """Figures of equal requests."""
    figures = Figures()
    for number in range(requests):
        figures.record(milliseconds, seconds, has_failed=number < failures, answered=number >= unanswered)
    return figures


@pytest.mark.parametrize(
    ("figures", "limits", "missed"),
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
def test_each_limit_is_kept_or_missed_by_itself(figures, limits, missed):
    """The verdict names the criteria that are missed, and passes exactly without one."""
    verdict = judge(figures, limits)

    assert [judged.name for judged in verdict.criteria if not judged.is_met] == missed
    assert verdict.exit_code == (ExitCode.MISSED if missed else ExitCode.PASSED)
    assert all(name in verdict.sentence for name in missed)


def test_slow_tail_is_seen_by_the_percentile_that_reaches_it():
    """Of 100 requests, 3 slow ones are in p99 and not in p95."""
    figures = measured(requests=97)
    for _ in range(3):
        figures.record(500.0, at_second=10.0)

    names = [judged.name for judged in judge(figures, Limits(p95_ms=20, p99_ms=20)).criteria if not judged.is_met]

    assert names == ["p99"]


def test_error_of_a_user_is_no_pass():
    """A bug in a user's own code is not taken for a good service."""
    verdict = judge(measured(), Limits(), user_errors=2)

    assert verdict.exit_code is ExitCode.MISSED
    assert "user errors" in verdict.sentence


def test_no_answer_at_all_is_unreachable():
    """A service that answered nothing was not there; one answer is enough to judge it."""
    nobody = judge(measured(requests=5, failures=5, unanswered=5), Limits(max_fail_ratio=1))
    somebody = judge(measured(requests=5, failures=4, unanswered=4), Limits(max_fail_ratio=1))

    assert (nobody.exit_code, somebody.exit_code) == (ExitCode.UNREACHABLE, ExitCode.PASSED)


def test_exit_codes_are_those_of_the_table():
    """Scripts rely on the numbers."""
    assert {code.name: int(code) for code in ExitCode} == {"PASSED": 0, "MISSED": 1, "USAGE": 2, "UNREACHABLE": 3}


def test_verdict_is_printed_with_value_and_limit():
    """People read each criterion, what was measured and what was allowed."""
    first, *criteria = str(judge(measured(failures=1), Limits(min_rps=5))).splitlines()

    assert first == "Verdict: missed (exit code 1). 1 of 3 criteria is missed: fail ratio."
    assert [line.split() for line in criteria] == [
        ["requests", "100", "at", "least", "1", "met"],
        ["fail", "ratio", "0.01", "at", "most", "0", "missed"],
        ["rate", "10", "requests/s", "at", "least", "5", "requests/s", "met"],
    ]
    assert str(unreachable("Nobody.")) == "Verdict: unreachable (exit code 3). Nobody."
