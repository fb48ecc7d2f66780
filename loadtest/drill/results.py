"""The results of a drill, as a table and a summary."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtest.drill.alert_rules import AlertRule

_HEAD = ("alert", "cause", "quiet", "pending after", "fired after", "delivered", "resolved after", "result")


@dataclass
class AlertResult:
    """What was observed of one alert. Times are in seconds; None if the event was not observed.

    Parameters
    ----------
    rule
        The alert's rule.
    cause
        The cause, or the reason why there is none.
    is_driven
        Whether the drill produces a cause.
    was_quiet
        Whether it was neither firing nor pending when its cause started.
    pending_after, fired_after, delivered_after
        Since the cause started.
    resolved_after
        From the end of the cause until it was inactive in Prometheus and reported as resolved to the webhook.
    always
        Whether it must fire all the time, without a cause.
    """

    rule: AlertRule
    cause: str
    is_driven: bool = True
    was_quiet: bool = False
    pending_after: float | None = None
    fired_after: float | None = None
    delivered_after: float | None = None
    resolved_after: float | None = None
    always: bool = False

    @property
    def was_delivered(self) -> bool:
        """Whether it fired and was delivered to its receiver."""
        return self.fired_after is not None and self.delivered_after is not None

    @property
    def has_passed(self) -> bool:
        """Whether everything required was observed."""
        if not self.is_driven:
            return True
        if self.always:
            return self.was_delivered
        return self.was_quiet and self.was_delivered and self.resolved_after is not None

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the table row, one per column."""
        if not self.is_driven:
            return (str(self.rule), self.cause, "", "", "", "", "", "not driven")
        ends = ("-", "always") if self.always else ("yes" if self.was_quiet else "NO", _seconds(self.resolved_after))
        return (
            str(self.rule),
            self.cause,
            ends[0],
            # Alerts without `for` are never pending.
            "-" if self.pending_after is None else _seconds(self.pending_after),
            _seconds(self.fired_after),
            _seconds(self.delivered_after),
            ends[1],
            "passed" if self.has_passed else "FAILED",
        )


def table(lines: Sequence[AlertResult]) -> str:
    """Format the results as a table.

    Examples
    --------
    >>> print(table([AlertResult(AlertRule("Watchdog"), "", True, False, None, 0.0, 1.25, None, True)]))
    alert     cause  quiet  pending after  fired after  delivered  resolved after  result
    Watchdog         -      -              0.0 s        1.2 s      always          passed
    """
    rows = [_HEAD, *(line.cells() for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def summary(lines: Iterable[AlertResult], seconds: float) -> str:
    """Return how many alerts passed, how long it took, and which alerts were not driven.

    Examples
    --------
    >>> summary([AlertResult(AlertRule("HostDiskFilling"), "needs a full disk", is_driven=False)], 90)
    'Passed: 0 of 0 alerts in 90 s. Not driven: HostDiskFilling; the table says why.'
    """
    every = list(lines)
    driven = [line for line in every if line.is_driven]
    failed = [str(line.rule) for line in driven if not line.has_passed]
    # An alert with several windows is named once.
    others = dict.fromkeys(line.rule.name for line in every if not line.is_driven)
    not_driven = f" Not driven: {', '.join(others)}; the table says why." if others else ""
    if failed:
        return f"FAILED: {len(failed)} of {len(driven)} alerts ({', '.join(failed)}) in {seconds:.0f} s.{not_driven}"
    return f"Passed: {len(driven)} of {len(driven)} alerts in {seconds:.0f} s.{not_driven}"


def _seconds(value: float | None) -> str:
    """Format a time, or NEVER."""
    return "NEVER" if value is None else f"{value:.1f} s"
