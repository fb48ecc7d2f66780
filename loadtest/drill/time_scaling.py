"""Scale the times in Prometheus rules down, so that hours become seconds.

Each range, ``for`` and ``keep_firing_for`` is divided by a factor, but is not below four scrapes. Expressions are
otherwise unchanged, except for the thresholds that are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# With two samples, one failed scrape would lose an increase; four leave room for that.
SCRAPES_IN_A_RANGE = 4

_UNIT_SECONDS = {
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 7 * 86400.0,
    "y": 365 * 86400.0,
}

_DURATION = r"(?:\d+(?:ms|[smhdwy]))+"
_PART = re.compile(r"(\d+)(ms|[smhdwy])")

# A range, a subquery's range and step, or an offset. A colon in a metric's name is never within brackets.
_RANGE = re.compile(rf"\[\s*({_DURATION})\s*(?:(:)\s*({_DURATION})?\s*)?\]")
_OFFSET = re.compile(rf"\b(offset\s+-?)({_DURATION})")

# Strings in label matchers may contain anything, including what looks like a range.
_STRING = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")


@dataclass(frozen=True)
class TimeScaling:
    """Scales durations, expressions and rules down.

    Parameters
    ----------
    factor
        Divisor of every duration, at least 1.
    scrape_seconds
        The drill's scrape interval, above 0.

    Examples
    --------
    >>> short = TimeScaling(factor=1000, scrape_seconds=2)
    >>> short.duration("3d"), short.duration("5m")
    ('259200ms', '8s')
    >>> short.expression('rate(errors_total{job="service"}[6h]) > scalar(threshold:errors:max)')
    'rate(errors_total{job="service"}[21600ms]) > scalar(threshold:errors:max)'
    """

    factor: float
    scrape_seconds: float

    def seconds(self, shipped: float) -> float:
        """Scale a number of seconds."""
        return max(SCRAPES_IN_A_RANGE * self.scrape_seconds, shipped / self.factor)

    def duration(self, shipped: str) -> str:
        """Scale a duration in Prometheus's format."""
        return duration_text(self.seconds(duration_seconds(shipped)))

    def expression(self, shipped: str) -> str:
        """Scale the ranges, subqueries and offsets of an expression."""
        return "".join(
            part if place % 2 else _OFFSET.sub(self._offset, _RANGE.sub(self._range, part))
            for place, part in enumerate(_STRING.split(shipped))
        )

    def rules(
        self, shipped: Mapping[str, Any], changed: Mapping[str, str], least_range: Mapping[str, float] | None = None
    ) -> dict[str, Any]:
        """Scale a rule file.

        Parameters
        ----------
        shipped
            The parsed file.
        changed
            New expressions by name of the threshold's recording rule.
        least_range
            By name of an alert, the seconds below which no range of its expression is scaled.
        """
        return {"groups": [self._group(group, changed, least_range or {}) for group in shipped["groups"]]}

    def _group(
        self, shipped: Mapping[str, Any], changed: Mapping[str, str], least_range: Mapping[str, float]
    ) -> dict[str, Any]:
        """Scale a group; without an interval of its own, it is evaluated with every scrape."""
        group = {name: value for name, value in shipped.items() if name != "interval"}
        return group | {"rules": [self._rule(rule, changed, least_range) for rule in shipped["rules"]]}

    def _rule(
        self, shipped: Mapping[str, Any], changed: Mapping[str, str], least_range: Mapping[str, float]
    ) -> dict[str, Any]:
        """Scale a rule, or replace a changed threshold."""
        least = least_range.get(shipped.get("alert", ""), 0.0)
        longer = replace(self, scrape_seconds=max(self.scrape_seconds, least / SCRAPES_IN_A_RANGE))
        # YAML parses an expression that is a bare number as a number.
        rule = dict(shipped) | {"expr": longer.expression(str(shipped["expr"]))}
        if shipped.get("record") in changed:
            rule["expr"] = changed[shipped["record"]]
        for wait in ("for", "keep_firing_for"):
            if wait in shipped:
                rule[wait] = self.duration(shipped[wait])
        return rule

    def _range(self, found: re.Match[str]) -> str:
        """Scale the content of a pair of brackets."""
        length, colon, step = found.groups()
        return f"[{self.duration(length)}{f':{self.duration(step) if step else str()}' if colon else ''}]"

    def _offset(self, found: re.Match[str]) -> str:
        """Scale an offset."""
        return found[1] + self.duration(found[2])


def duration_seconds(text: str) -> float:
    """Parse a duration in Prometheus's format.

    Examples
    --------
    >>> duration_seconds("1h30m")
    5400.0
    """
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in _PART.findall(text))


def duration_text(seconds: float) -> str:
    """Format a duration for Prometheus.

    Examples
    --------
    >>> duration_text(8), duration_text(10.8)
    ('8s', '10800ms')
    """
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"
