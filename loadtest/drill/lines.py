"""The lines of the table that a drill prints, and its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtest.drill.alert_rules import AlertRule

_HEAD = ("alert", "cause", "quiet", "pending after", "fired after", "delivered", "resolved after", "result")


@dataclass
class Line:
    """What was seen of one alert. Times are in seconds; None is what was not seen.

    Parameters
    ----------
    rule
        The alert's rule.
    cause
        What was done, or why nothing was.
    is_driven
        Whether a cause was produced here.
    was_quiet
        Whether it neither fired nor waited to when its cause began.
    pending_after, fired_after, delivered_after
        Since the cause began.
    resolved_after
        Since the cause ended, until Prometheus did not hold it any more and the receiver had been told.
    always
        Whether it has to fire all the time, without a cause.
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
    def has_reached(self) -> bool:
        """Whether it fired and its receiver heard of it."""
        return self.fired_after is not None and self.delivered_after is not None

    @property
    def has_passed(self) -> bool:
        """Whether all was seen that has to be."""
        if not self.is_driven:
            return True
        if self.always:
            return self.has_reached
        return self.was_quiet and self.has_reached and self.resolved_after is not None

    def cells(self) -> tuple[str, ...]:
        """Give the words of the line, one for each column."""
        if not self.is_driven:
            return (str(self.rule), self.cause, "", "", "", "", "", "not driven")
        ends = ("-", "always") if self.always else ("yes" if self.was_quiet else "NO", _seconds(self.resolved_after))
        return (
            str(self.rule),
            self.cause,
            ends[0],
            # Alerts without a wait are never seen to be pending.
            "-" if self.pending_after is None else _seconds(self.pending_after),
            _seconds(self.fired_after),
            _seconds(self.delivered_after),
            ends[1],
            "passed" if self.has_passed else "FAILED",
        )


def table(lines: Sequence[Line]) -> str:
    """Write the lines below each other.

    Examples
    --------
    >>> print(table([Line(AlertRule("Watchdog"), "", True, False, None, 0.0, 1.25, None, True)]))
    alert     cause  quiet  pending after  fired after  delivered  resolved after  result
    Watchdog         -      -              0.0 s        1.2 s      always          passed
    """
    rows = [_HEAD, *(line.cells() for line in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def verdict(lines: Iterable[Line]) -> str:
    """Say in one sentence how many alerts did what they have to."""
    every = list(lines)
    driven = [line for line in every if line.is_driven]
    failed = [str(line.rule) for line in driven if not line.has_passed]
    others = f"{len(every) - len(driven)} not driven"
    if failed:
        return f"FAILED: {len(failed)} of {len(driven)} alerts ({', '.join(failed)}); {others}."
    return f"Passed: {len(driven)} of {len(driven)} alerts; {others}."


def _seconds(value: float | None) -> str:
    """Write a time, or that it did not come."""
    return "NEVER" if value is None else f"{value:.1f} s"
