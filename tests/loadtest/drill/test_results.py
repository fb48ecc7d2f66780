"""The drill's table and its summary."""

import dataclasses

import pytest

from loadtest.drill.alert_rules import AlertRule
from loadtest.drill.results import AlertResult, summary, table

GOOD = AlertResult(
    AlertRule("ServiceDown"),
    "a replica hangs",
    was_quiet=True,
    pending_after=2.0,
    fired_after=10.0,
    delivered_after=11.5,
    resolved_after=4.0,
)
WATCHDOG = AlertResult(AlertRule("Watchdog"), "always fires", always=True, fired_after=0.0, delivered_after=0.5)
DISK = AlertResult(AlertRule("HostDiskFilling"), "would need a full disk", is_driven=False)


def test_a_complete_result_has_passed():
    """An alert passes if it was quiet before, fired, was delivered and was resolved."""
    assert GOOD.has_passed


@pytest.mark.parametrize(
    "lack", [{"was_quiet": False}, {"fired_after": None}, {"delivered_after": None}, {"resolved_after": None}]
)
def test_an_incomplete_result_has_failed(lack):
    """An alert that misses any step fails."""
    line = dataclasses.replace(GOOD, **lack)
    assert not line.has_passed
    assert summary([line, WATCHDOG], 12.3) == "FAILED: 1 of 2 alerts (ServiceDown) in 12 s."
    assert line.cells()[-1] == "FAILED"
    assert {"NO", "NEVER"} & set(line.cells())


def test_an_alert_may_pass_without_being_pending():
    """Alerts without `for` are never pending."""
    assert dataclasses.replace(GOOD, pending_after=None).has_passed


def test_an_alert_that_always_fires_is_never_quiet_or_resolved():
    """It passes if it fires and is delivered."""
    assert WATCHDOG.has_passed
    assert not dataclasses.replace(WATCHDOG, delivered_after=None).has_passed


def test_an_alert_that_is_not_driven_does_not_fail():
    """The table shows the reason, and the summary counts it separately."""
    assert DISK.has_passed
    expected = "Passed: 1 of 1 alerts in 312 s. Not driven: HostDiskFilling; the table says why."
    assert summary([GOOD, DISK, DISK], 312) == expected
    assert "would need a full disk" in table([DISK])
    assert "not driven" in table([DISK])


def test_columns_are_aligned():
    """Each column starts at the same position in every row."""
    head, good, watchdog, disk = table([GOOD, WATCHDOG, DISK]).splitlines()
    for title, cell in (("cause", "a replica"), ("result", "passed")):
        assert head.index(title) == good.index(cell)
    assert head.index("result") == watchdog.index("passed") == disk.index("not driven")
