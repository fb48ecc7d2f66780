"""The search adds users until a limit is exceeded, and reports the last good rate."""

from __future__ import annotations

from loadtest.limit_search import MAX_USERS, LimitSearch
from loadtest.measurements import Measurements
from loadtest.pass_criteria import Limits
from loadtest.stages import STAGES, spawn_rate


def step(milliseconds, requests=100, failures=0):
    """Return the measurements of a step of ten seconds."""
    measurements = Measurements()
    for number in range(requests):
        measurements.record(milliseconds, at_second=10.0, failed=number < failures)
    return measurements


def run(search, service):
    """Run the search against a service that is a function of the number of users."""
    tried = [search.users]
    while search.end_step(service(search.users)):
        tried.append(search.users)
    return tried


def test_users_grow_until_the_limit():
    """A service that takes 10 ms per user exceeds 100 ms with more than 10 of them."""
    search = LimitSearch(Limits(p95_ms=100))

    assert run(search, lambda users: step(9.9 * users, requests=50 + users)) == [1, 2, 3, 4, 6, 9, 13]
    assert (search.last_good.users, search.first_bad.users) == (9, 13)
    assert search.measurements.rate == 5.9
    assert "5.9 requests/s, with 9 users" in str(search)
    assert "13 users exceed the limit of p95" in str(search)


def test_failures_are_a_limit_too():
    """A service that starts to fail is at its limit, however fast it answers."""
    search = LimitSearch(Limits(max_fail_ratio=0.01, p95_ms=100))

    assert run(search, lambda users: step(1, failures=2 * (users > 3))) == [1, 2, 3, 4]
    assert "fail ratio" in str(search)


def test_minimum_rate_does_not_end_the_search():
    """A single user never reaches the rate of many."""
    search = LimitSearch(Limits(p95_ms=100, min_rps=1_000_000))

    assert search.end_step(step(1))


def test_search_ends_at_the_maximum_number_of_users():
    """The search ends by itself, and reports that no limit was exceeded."""
    search = LimitSearch(Limits(p95_ms=100))

    assert run(search, lambda users: step(1))[-1] == MAX_USERS
    assert search.first_bad is None
    assert "before a limit was exceeded" in str(search)


def test_first_step_may_exceed_the_limit():
    """Without a good step there is no rate to report, and the first step is evaluated."""
    search = LimitSearch(Limits(p95_ms=100))

    assert run(search, lambda users: step(500)) == [1]
    assert search.measurements.percentile(0.95) > 100
    assert "one user is already too many" in str(search)


def test_step_without_requests_exceeds_the_limit():
    """A step without measurements is not a good step."""
    search = LimitSearch(Limits(p95_ms=100))
    search.end_step(step(1))

    assert not search.end_step(Measurements())
    assert search.last_good.users == 1


def test_step_without_answers_is_reported():
    """A service that stops answering has no criterion to name."""
    search = LimitSearch(Limits(p95_ms=100))
    search.end_step(step(1))
    unanswered = Measurements()
    unanswered.record(1.0, at_second=10.0, failed=True, answered=False)

    assert not search.end_step(unanswered)
    assert str(search).endswith("with 2 users, no request was answered.")


def test_stages_match_the_documentation():
    """Shapes have the documented numbers of users, and every stage starts within a second."""
    assert [(stage.seconds, stage.users) for stage in STAGES["ramp"]] == [
        (30, users) for users in (1, 2, 3, 5, 3, 2, 1)
    ]
    assert [stage.users for stage in STAGES["errors"]] == [1, 3, 5, 10, 5, 3, 1]
    for stages in STAGES.values():
        assert all(spawn_rate(stage.users) == stage.users for stage in stages)
