"""The table of a drill and its verdict."""

import dataclasses

import pytest

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.lines import Line, table, verdict

GOOD = Line(
    AlertRule("ServiceDown"),
    "a replica hangs",
    was_quiet=True,
    pending_after=2.0,
    fired_after=10.0,
    delivered_after=11.5,
    resolved_after=4.0,
)
WATCHDOG = Line(AlertRule("Watchdog"), "always fires", always=True, fired_after=0.0, delivered_after=0.5)
DISK = Line(AlertRule("HostDiskFilling"), "would need a full disk", is_driven=False)


def test_a_line_on_which_everything_was_seen_has_passed():
    """Quiet before, fired, delivered and resolved is all that is asked."""
    assert GOOD.has_passed


@pytest.mark.parametrize(
    "lack", [{"was_quiet": False}, {"fired_after": None}, {"delivered_after": None}, {"resolved_after": None}]
)
def test_a_line_that_lacks_one_step_has_failed(lack):
    """An alert that skips any step is not to be relied on."""
    line = dataclasses.replace(GOOD, **lack)
    assert not line.has_passed
    assert verdict([line, WATCHDOG]) == "FAILED: 1 of 2 alerts (ServiceDown); 0 not driven."
    assert line.cells()[-1] == "FAILED"
    assert {"NO", "NEVER"} & set(line.cells())


def test_an_alert_without_a_wait_is_never_pending():
    """It passes without that step."""
    assert dataclasses.replace(GOOD, pending_after=None).has_passed


def test_an_alert_that_always_fires_needs_neither_quiet_nor_an_end():
    """It passes by firing and being told."""
    assert WATCHDOG.has_passed
    assert not dataclasses.replace(WATCHDOG, delivered_after=None).has_passed


def test_an_alert_that_is_not_driven_fails_nothing_and_says_why():
    """Its reason stands in the table, and the verdict counts it apart."""
    assert DISK.has_passed
    assert verdict([GOOD, DISK]) == "Passed: 1 of 1 alerts; 1 not driven."
    assert "would need a full disk" in table([DISK])
    assert "not driven" in table([DISK])


def test_columns_stand_below_each_other():
    """Each column begins at the same place in every line."""
    head, good, watchdog, disk = table([GOOD, WATCHDOG, DISK]).splitlines()
    for title, cell in (("cause", "a replica"), ("result", "passed")):
        assert head.index(title) == good.index(cell)
    assert head.index("result") == watchdog.index("passed") == disk.index("not driven")
