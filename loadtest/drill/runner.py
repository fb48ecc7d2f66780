"""Produce causes and record what happens to their alerts."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.causes import Cause
from loadtest.drill.plan import rules_of
from loadtest.drill.results import AlertResult
from loadtest.drill.testbed import Testbed

# RetrainingNeeded (model age) takes longest; all others fire within half a minute.
_FIRE_SECONDS = 180

# The longest window to pass is the scaled one of three days, for a cause during which a model is trained.
_RESOLVE_SECONDS = 120

# Shorter than the duration of any state.
_POLL_SECONDS = 0.2


def run_phase(testbed: Testbed, causes: Sequence[Cause], rules: Sequence[AlertRule]) -> list[AlertResult]:
    """Produce the causes of a phase at the same time.

    Returns
    -------
    One result per rule that the causes must trigger.
    """
    with ThreadPoolExecutor(len(causes)) as pool:
        try:
            per_cause = list(pool.map(lambda cause: run_cause(testbed, cause, rules), causes))
        except BaseException:
            # Only this thread receives Ctrl-C, and the pool waits for the others.
            testbed.is_over.set()
            raise
    return [result for results in per_cause for result in results]


def run_cause(testbed: Testbed, cause: Cause, rules: Sequence[AlertRule]) -> list[AlertResult]:
    """Produce a cause until its alerts are delivered, end it, and wait until they are resolved."""
    results = [AlertResult(rule, cause.title) for rule in rules_of(cause, rules)]
    for result in results:
        result.was_quiet = testbed.alerts.state(result.rule) == "inactive"
    try:
        started_at = time.monotonic()
        with cause.produce(testbed):
            _poll_until(
                testbed,
                _FIRE_SECONDS,
                lambda: _all_of(results, lambda result: _record_start(testbed, result, started_at)),
            )
            end = time.monotonic()
        _poll_until(
            testbed, _RESOLVE_SECONDS, lambda: _all_of(results, lambda result: _record_end(testbed, result, end))
        )
    except Exception:
        # The other causes of the phase continue; this one's alerts fail.
        print(f"{cause.title}: {traceback.format_exc()}", flush=True)
    return results


def check_always_firing(testbed: Testbed, rule: AlertRule) -> AlertResult:
    """Check an alert that must always fire."""
    result = AlertResult(rule, "always fires", always=True)
    started_at = time.monotonic()
    _poll_until(testbed, _FIRE_SECONDS, lambda: _record_start(testbed, result, started_at))
    return result


def _record_start(testbed: Testbed, result: AlertResult, started_at: float) -> bool:
    """Record the progress of an alert; return True once it has fired and was delivered."""
    state, after = testbed.alerts.state(result.rule), time.monotonic() - started_at
    if state == "pending" and result.pending_after is None:
        result.pending_after = after
    if state == "firing" and result.fired_after is None:
        result.fired_after = after
    reported = testbed.sink.received.fired_at(result.rule, since=started_at)
    if reported is not None and result.delivered_after is None:
        result.delivered_after = reported - started_at
    return result.was_delivered


def _record_end(testbed: Testbed, result: AlertResult, end: float) -> bool:
    """Record whether an alert is resolved; return True once it is, or if it never fired."""
    is_over = testbed.alerts.state(result.rule) == "inactive" and not testbed.sink.received.is_firing(result.rule)
    if result.was_delivered and result.resolved_after is None and is_over:
        result.resolved_after = time.monotonic() - end
    return not result.was_delivered or result.resolved_after is not None


def _all_of(results: Sequence[AlertResult], update: Callable[[AlertResult], bool]) -> bool:
    """Update every result, without stopping at the first incomplete one; return True when all are complete."""
    complete = [update(result) for result in results]
    return all(complete)


def _poll_until(testbed: Testbed, seconds: float, is_done: Callable[[], bool]) -> None:
    """Poll until the condition holds, the time is up, or the drill ends."""
    deadline = time.monotonic() + seconds
    while not is_done() and time.monotonic() < deadline and not testbed.is_over.is_set():
        time.sleep(_POLL_SECONDS)
