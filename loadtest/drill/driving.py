"""Produces causes and writes down what became of their alerts."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.causes import Cause
from loadtest.drill.chain import Chain
from loadtest.drill.lines import Line
from loadtest.drill.plan import rules_of

# The longest way of an alert is that of the model's age; the others fire within half a minute.
_FIRE_SECONDS = 180

# The longest window that has to be empty again is that of three days, shrunk; a new model is trained for one.
_RESOLVE_SECONDS = 120

# Shorter than any state lasts.
_LOOK_SECONDS = 0.2


def drive_phase(chain: Chain, causes: Sequence[Cause], rules: Sequence[AlertRule]) -> list[Line]:
    """Produce causes together.

    Returns
    -------
    A line for each rule that they have to drive.
    """
    with ThreadPoolExecutor(len(causes)) as pool:
        try:
            results = list(pool.map(lambda cause: drive(chain, cause, rules), causes))
        except BaseException:
            # Ctrl-C comes to this thread alone, and the pool waits for all others.
            chain.is_over.set()
            raise
    return [line for lines in results for line in lines]


def drive(chain: Chain, cause: Cause, rules: Sequence[AlertRule]) -> list[Line]:
    """Produce a cause until its alerts were delivered, end it, and wait until they are over."""
    lines = [Line(rule, cause.title) for rule in rules_of(cause, rules)]
    for line in lines:
        line.was_quiet = chain.alerts.state(line.rule) == "inactive"
    try:
        begin = time.monotonic()
        with cause.produce(chain):
            _look_until(chain, _FIRE_SECONDS, lambda: _all_of(lines, lambda line: _note_beginning(chain, line, begin)))
            end = time.monotonic()
        _look_until(chain, _RESOLVE_SECONDS, lambda: _all_of(lines, lambda line: _note_end(chain, line, end)))
    except Exception:
        # The other causes of the phase go on; the lines of this one fail.
        print(f"{cause.title}: {traceback.format_exc()}", flush=True)
    return lines


def watch_always(chain: Chain, rule: AlertRule) -> Line:
    """Look at an alert that has to fire without a cause."""
    line = Line(rule, "always fires", always=True)
    begin = time.monotonic()
    _look_until(chain, _FIRE_SECONDS, lambda: _note_beginning(chain, line, begin))
    return line


def _note_beginning(chain: Chain, line: Line, begin: float) -> bool:
    """Note how far an alert has come; True when it has fired and was delivered."""
    state, after = chain.alerts.state(line.rule), time.monotonic() - begin
    if state == "pending" and line.pending_after is None:
        line.pending_after = after
    if state == "firing" and line.fired_after is None:
        line.fired_after = after
    told = chain.sink.heard.fired_at(line.rule, since=begin)
    if told is not None and line.delivered_after is None:
        line.delivered_after = told - begin
    return line.has_reached


def _note_end(chain: Chain, line: Line, end: float) -> bool:
    """Note whether an alert is over, and its receiver knows; what never came does not end."""
    is_over = chain.alerts.state(line.rule) == "inactive" and not chain.sink.heard.believes_in(line.rule)
    if line.has_reached and line.resolved_after is None and is_over:
        line.resolved_after = time.monotonic() - end
    return not line.has_reached or line.resolved_after is not None


def _all_of(lines: Sequence[Line], note: Callable[[Line], bool]) -> bool:
    """Note something of every line, also of those behind one that is not done; True when all are."""
    done = [note(line) for line in lines]
    return all(done)


def _look_until(chain: Chain, seconds: float, is_done: Callable[[], bool]) -> None:
    """Look again and again, until it is done, the time is over, or the drill ends."""
    deadline = time.monotonic() + seconds
    while not is_done() and time.monotonic() < deadline and not chain.is_over.is_set():
        time.sleep(_LOOK_SECONDS)
