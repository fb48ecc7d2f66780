"""When a load test has passed: limits, what was measured against them, and the exit code that says so.

==== ==========================================================================================
code meaning
==== ==========================================================================================
0    passed: every criterion was met
1    missed: a criterion was not met, or no request was made at all
2    usage: an option, a file or a name was wrong, and nothing was started
3    unreachable: the service gave no answer, or none that says what its model takes
==== ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from loadtest.figures import Figures


class ExitCode(IntEnum):
    """How the ``locust`` program ends, see the table above."""

    PASSED = 0
    MISSED = 1
    USAGE = 2
    UNREACHABLE = 3


@dataclass(frozen=True)
class Limits:
    """What the user asks for; None asks for nothing.

    Parameters
    ----------
    max_fail_ratio
        Most failures over requests, in [0, 1]. Without another wish a single failure is one too many.
    p95_ms, p99_ms
        Longest time in milliseconds for 95 and 99 of 100 requests.
    min_rps
        Fewest requests a second.
    """

    max_fail_ratio: float = 0.0
    p95_ms: float | None = None
    p99_ms: float | None = None
    min_rps: float | None = None


@dataclass(frozen=True)
class Criterion:
    """One thing that is measured and limited, from above unless it ``is_least``."""

    name: str
    unit: str
    measure: Callable[[Figures], float]
    limit: Callable[[Limits], float | None]
    is_least: bool = False


CRITERIA = (
    # A load test that sent nothing has shown nothing.
    Criterion("requests", "", lambda figures: figures.requests, lambda limits: 1, is_least=True),
    Criterion("fail ratio", "", lambda figures: figures.fail_ratio, lambda limits: limits.max_fail_ratio),
    Criterion("p95", "ms", lambda figures: figures.percentile(0.95), lambda limits: limits.p95_ms),
    Criterion("p99", "ms", lambda figures: figures.percentile(0.99), lambda limits: limits.p99_ms),
    Criterion("rate", "requests/s", lambda figures: figures.rate, lambda limits: limits.min_rps, is_least=True),
)


@dataclass(frozen=True)
class Judged:
    """One criterion with what was measured and what was allowed."""

    name: str
    unit: str
    measured: float
    limit: float
    is_least: bool

    @property
    def is_met(self) -> bool:
        """Whether the measured value is on the right side of its limit, or on it."""
        return self.measured >= self.limit if self.is_least else self.measured <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.is_least else "at most"
        measured, limit = (f"{value:.6g} {self.unit}".rstrip() for value in (self.measured, self.limit))
        return f"{self.name:<12}{measured:<22}{bound} {limit:<22}{'met' if self.is_met else 'missed'}"


@dataclass(frozen=True)
class Verdict:
    """How a run ended.

    Parameters
    ----------
    exit_code
        What the program ends with.
    sentence
        The reason in one sentence.
    criteria
        Everything that was judged, in the order of ``CRITERIA``.
    figures
        What it was judged by.
    """

    exit_code: ExitCode
    sentence: str
    criteria: tuple[Judged, ...] = ()
    figures: Figures = field(default_factory=Figures)

    def __str__(self) -> str:
        lines = [f"Verdict: {self.exit_code.name.lower()} (exit code {self.exit_code:d}). {self.sentence}"]
        lines += [f"  {judged}".rstrip() for judged in self.criteria]
        return "\n".join(lines)


def judge(figures: Figures, limits: Limits, user_errors: int = 0) -> Verdict:
    """Judge a run.

    Parameters
    ----------
    figures
        What was measured after the warm-up.
    limits
        What was asked for.
    user_errors
        How many errors of a user's own code, not of the service, ended a task.

    Returns
    -------
    The verdict: unreachable if no request was answered, else passed if every criterion is met.

    Examples
    --------
    >>> figures = Figures()
    >>> figures.record(12.0, at_second=1.0)
    >>> print(judge(figures, Limits(p95_ms=10)).sentence)
    1 of 3 criteria is missed: p95.
    >>> judge(figures, Limits(p95_ms=15)).exit_code.name
    'PASSED'
    """
    if figures.requests and figures.unanswered == figures.requests:
        return unreachable(f"Not one of {figures.requests} requests was answered.", figures)
    criteria = [
        Judged(criterion.name, criterion.unit, criterion.measure(figures), limit, criterion.is_least)
        for criterion in CRITERIA
        if (limit := criterion.limit(limits)) is not None
    ]
    if user_errors:
        criteria.append(Judged("user errors", "", user_errors, 0, is_least=False))
    missed = [judged.name for judged in criteria if not judged.is_met]
    if missed:
        verb = "is" if len(missed) == 1 else "are"
        sentence = f"{len(missed)} of {len(criteria)} criteria {verb} missed: {', '.join(missed)}."
        return Verdict(ExitCode.MISSED, sentence, tuple(criteria), figures)
    return Verdict(ExitCode.PASSED, f"All {len(criteria)} criteria are met.", tuple(criteria), figures)


def unreachable(sentence: str, figures: Figures | None = None) -> Verdict:
    """Give the verdict on a service that was not there."""
    return Verdict(ExitCode.UNREACHABLE, sentence, figures=figures or Figures())
