"""What goes wrong with Prometheus and Alertmanager themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loadtest.drill.causes import Cause
from loadtest.drill.chain import Chain

# Each side of it has several series, and none says which belong together: that is known only when it is evaluated.
_RULE_THAT_FAILS = """\
groups:
  - name: rule_that_fails
    rules:
      - record: drill:many_to_many
        expr: up * on () up
"""

# The receiver that hears of Watchdog, so that there is always something to tell.
_PATH = "/watchdog"


@contextmanager
def failing_rule(chain: Chain) -> Iterator[None]:
    """Add a rule that cannot be evaluated."""
    file = chain.prometheus_file.parent / "rules" / "rule_that_fails.yml"
    file.write_text(_RULE_THAT_FAILS, encoding="utf-8")
    chain.reload_prometheus()
    try:
        yield
    finally:
        file.unlink()
        chain.reload_prometheus()


@contextmanager
def broken_configuration(chain: Chain) -> Iterator[None]:
    """Let Prometheus read a configuration that is none."""
    good = chain.prometheus_file.read_text(encoding="utf-8")
    chain.prometheus_file.write_text("scrape_configs: none\n", encoding="utf-8")
    chain.reload_prometheus()
    try:
        yield
    finally:
        chain.prometheus_file.write_text(good, encoding="utf-8")
        chain.reload_prometheus()


@contextmanager
def refusing_receiver(chain: Chain) -> Iterator[None]:
    """Let a receiver refuse what it is told."""
    chain.sink.refuse(_PATH)
    try:
        yield
    finally:
        chain.sink.listen(_PATH)


FAILING_RULE = Cause("a rule that fails", ("PrometheusRuleFailures",), failing_rule)
BROKEN_CONFIGURATION = Cause("a broken configuration", ("PrometheusConfigReloadFailed",), broken_configuration)
REFUSING_RECEIVER = Cause("a receiver refuses", ("AlertmanagerNotificationsFailing",), refusing_receiver)
