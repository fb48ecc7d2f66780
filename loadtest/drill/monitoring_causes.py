"""Failures of Prometheus and Alertmanager themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loadtest.drill.causes import Cause
from loadtest.drill.testbed import Testbed

# Valid syntax, but both sides have several series that cannot be matched, so it fails when evaluated.
_RULE_THAT_FAILS = """\
groups:
  - name: rule_that_fails
    rules:
      - record: drill:many_to_many
        expr: up * on () up
"""

# Watchdog's receiver, which always has something to be notified of.
_PATH = "/watchdog"


@contextmanager
def failing_rule(testbed: Testbed) -> Iterator[None]:
    """Add a rule whose evaluation fails."""
    file = testbed.prometheus_file.parent / "rules" / "rule_that_fails.yml"
    file.write_text(_RULE_THAT_FAILS, encoding="utf-8")
    testbed.reload_prometheus()
    try:
        yield
    finally:
        file.unlink()
        testbed.reload_prometheus()


@contextmanager
def broken_configuration(testbed: Testbed) -> Iterator[None]:
    """Make Prometheus reload an invalid configuration."""
    good = testbed.prometheus_file.read_text(encoding="utf-8")
    testbed.prometheus_file.write_text("scrape_configs: none\n", encoding="utf-8")
    testbed.reload_prometheus()
    try:
        yield
    finally:
        testbed.prometheus_file.write_text(good, encoding="utf-8")
        testbed.reload_prometheus()


@contextmanager
def rejecting_receiver(testbed: Testbed) -> Iterator[None]:
    """Make a receiver reject its notifications."""
    testbed.sink.reject(_PATH)
    try:
        yield
    finally:
        testbed.sink.accept(_PATH)


FAILING_RULE = Cause("a rule that fails", ("PrometheusRuleFailures",), failing_rule)
BROKEN_CONFIGURATION = Cause("a broken configuration", ("PrometheusConfigReloadFailed",), broken_configuration)
REJECTING_RECEIVER = Cause("a receiver rejects alerts", ("AlertmanagerNotificationsFailing",), rejecting_receiver)
