"""The pass criteria of a load test, its result and the exit codes.

==== ==========================================================================================
code meaning
==== ==========================================================================================
0    passed: every criterion was met
1    missed: a criterion was not met, or there was no request
2    usage: an option, a file or a name was wrong; nothing was sent
3    unreachable: the service did not answer, or not with a description of its model
==== ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from loadtest.measurements import Measurements


class ExitCode(IntEnum):
    """Exit codes of the ``locust`` program, see the table above."""

    PASSED = 0
    MISSED = 1
    USAGE = 2
    UNREACHABLE = 3


@dataclass(frozen=True)
class Limits:
    """The limits given by the user; None means no limit.

    Parameters
    ----------
    max_fail_ratio
        Maximum share of failed requests, in [0, 1]. By default no request may fail.
    p95_ms, p99_ms
        Maximum 95th and 99th percentile of the response time, in milliseconds.
    min_rps
        Minimum requests per second.
    """

    max_fail_ratio: float = 0.0
    p95_ms: float | None = None
    p99_ms: float | None = None
    min_rps: float | None = None


@dataclass(frozen=True)
class Criterion:
    """A measured value and its limit, an upper limit unless ``is_minimum``."""

    name: str
    unit: str
    measure: Callable[[Measurements], float]
    limit: Callable[[Limits], float | None]
    is_minimum: bool = False


CRITERIA = (
    # A load test without requests proves nothing.
    Criterion("requests", "", lambda measurements: measurements.requests, lambda limits: 1, is_minimum=True),
    Criterion("fail ratio", "", lambda measurements: measurements.fail_ratio, lambda limits: limits.max_fail_ratio),
    Criterion("p95", "ms", lambda measurements: measurements.percentile(0.95), lambda limits: limits.p95_ms),
    Criterion("p99", "ms", lambda measurements: measurements.percentile(0.99), lambda limits: limits.p99_ms),
    Criterion(
        "rate", "requests/s", lambda measurements: measurements.rate, lambda limits: limits.min_rps, is_minimum=True
    ),
)


@dataclass(frozen=True)
class CriterionResult:
    """A criterion with its measured value and its limit."""

    name: str
    unit: str
    measured: float
    limit: float
    is_minimum: bool

    @property
    def is_met(self) -> bool:
        """Whether the measured value is within its limit."""
        return self.measured >= self.limit if self.is_minimum else self.measured <= self.limit

    def __str__(self) -> str:
        bound = "at least" if self.is_minimum else "at most"
        measured, limit = (f"{value:.6g} {self.unit}".rstrip() for value in (self.measured, self.limit))
        return f"{self.name:<12}{measured:<22}{bound} {limit:<22}{'met' if self.is_met else 'missed'}"


@dataclass(frozen=True)
class LoadResult:
    """The result of a run.

    Parameters
    ----------
    exit_code
        The program's exit code.
    sentence
        The reason, in one sentence.
    criteria
        The evaluated criteria, in the order of ``CRITERIA``.
    measurements
        The measurements that were evaluated.
    """

    exit_code: ExitCode
    sentence: str
    criteria: tuple[CriterionResult, ...] = ()
    measurements: Measurements = field(default_factory=Measurements)

    def __str__(self) -> str:
        lines = [f"Result: {self.exit_code.name.lower()} (exit code {self.exit_code:d}). {self.sentence}"]
        lines += [f"  {criterion}".rstrip() for criterion in self.criteria]
        return "\n".join(lines)


def evaluate(measurements: Measurements, limits: Limits, user_errors: int = 0) -> LoadResult:
    """Evaluate a run against its limits.

    Parameters
    ----------
    measurements
        The measurements after the warm-up.
    limits
        The limits given by the user.
    user_errors
        Number of tasks that ended with an exception in the user's own code, not in the service.

    Returns
    -------
    The result: unreachable if no request was answered, else passed if every criterion is met.

    Examples
    --------
    >>> measurements = Measurements()
    >>> measurements.record(12.0, at_second=1.0)
    >>> print(evaluate(measurements, Limits(p95_ms=10)).sentence)
    1 of 3 criteria is missed: p95.
    >>> evaluate(measurements, Limits(p95_ms=15)).exit_code.name
    'PASSED'
    """
    if measurements.requests and measurements.unanswered == measurements.requests:
        return unreachable_result(f"None of the {measurements.requests} requests was answered.", measurements)
    criteria = [
        CriterionResult(criterion.name, criterion.unit, criterion.measure(measurements), limit, criterion.is_minimum)
        for criterion in CRITERIA
        if (limit := criterion.limit(limits)) is not None
    ]
    if user_errors:
        criteria.append(CriterionResult("user errors", "", user_errors, 0, is_minimum=False))
    missed = [criterion.name for criterion in criteria if not criterion.is_met]
    if missed:
        verb = "is" if len(missed) == 1 else "are"
        sentence = f"{len(missed)} of {len(criteria)} criteria {verb} missed: {', '.join(missed)}."
        return LoadResult(ExitCode.MISSED, sentence, tuple(criteria), measurements)
    return LoadResult(ExitCode.PASSED, f"All {len(criteria)} criteria are met.", tuple(criteria), measurements)


def unreachable_result(sentence: str, measurements: Measurements | None = None) -> LoadResult:
    """Return the result for a service that did not answer."""
    return LoadResult(ExitCode.UNREACHABLE, sentence, measurements=measurements or Measurements())
