"""The search for the limit adds users until something is crossed, and reports the last good rate."""

from __future__ import annotations

from loadtest.figures import Figures
from loadtest.limit_search import MOST_USERS, LimitSearch
from loadtest.pass_criteria import Limits
from loadtest.stages import STAGES, spawn_rate


def step(milliseconds, requests=100, failures=0):
    """Figures of a step of ten seconds."""
    figures = Figures()
    for number in range(requests):
        figures.record(milliseconds, at_second=10.0, has_failed=number < failures)
    return figures


def run(search, service):
    """Let the search run against a service that is a function of the number of users."""
    tried = [search.users]
    while search.end_step(service(search.users)):
        tried.append(search.users)
    return tried


def test_users_grow_until_the_limit():
    """A service whose answers take 10 ms a user crosses 100 ms with more than 10 of them."""
    search = LimitSearch(Limits(p95_ms=100))

    assert run(search, lambda users: step(9.9 * users, requests=50 + users)) == [1, 2, 3, 4, 6, 9, 13]
    assert (search.last_good.users, search.first_bad.users) == (9, 13)
    assert search.result.rate == 5.9
    assert "5.9 requests/s, with 9 users" in str(search)
    assert "13 users cross the limit of p95" in str(search)


def test_failures_are_a_limit_too():
    """A service that begins to fail is at its limit, however fast it fails."""
    search = LimitSearch(Limits(max_fail_ratio=0.01, p95_ms=100))

    assert run(search, lambda users: step(1, failures=2 * (users > 3))) == [1, 2, 3, 4]
    assert "fail ratio" in str(search)


def test_least_rate_is_asked_of_the_result_only():
    """One user alone never reaches the rate that many reach together."""
    search = LimitSearch(Limits(p95_ms=100, min_rps=1_000_000))

    assert search.end_step(step(1))


def test_service_that_bears_everything_ends_the_search():
    """The search ends by itself, and says that no limit was crossed."""
    search = LimitSearch(Limits(p95_ms=100))

    assert run(search, lambda users: step(1))[-1] == MOST_USERS
    assert search.first_bad is None
    assert "before a limit was crossed" in str(search)


def test_first_step_may_be_too_much():
    """Without a good step there is no rate to report, and the bad one is judged."""
    search = LimitSearch(Limits(p95_ms=100))

    assert run(search, lambda users: step(500)) == [1]
    assert search.result.percentile(0.95) > 100
    assert "one user is already too many" in str(search)


def test_step_without_an_answer_is_over_the_limit():
    """Nothing measured is not taken for nothing wrong."""
    search = LimitSearch(Limits(p95_ms=100))
    search.end_step(step(1))

    assert not search.end_step(Figures())
    assert search.last_good.users == 1


def test_stages_are_what_is_promised():
    """The numbers of users that the documentation names, and no stage that Locust cannot begin in a second."""
    assert [(stage.seconds, stage.users) for stage in STAGES["ramp"]] == [
        (30, users) for users in (1, 2, 3, 5, 3, 2, 1)
    ]
    assert [stage.users for stage in STAGES["errors"]] == [1, 3, 5, 10, 5, 3, 1]
    for stages in STAGES.values():
        assert all(spawn_rate(stage.users) == stage.users for stage in stages)
