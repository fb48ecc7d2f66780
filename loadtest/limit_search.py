"""``--shape step-to-limit``: add users until the service is too slow or fails, and report the rate before that."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loadtest.measurements import Measurements
from loadtest.pass_criteria import Limits, evaluate

# Its name for --shape.
STEP_TO_LIMIT = "step-to-limit"

# Long enough for a p95 over a thousand requests at the lowest rates of interest.
STEP_SECONDS = 30.0

# The first sixth of each step is not measured: connections are being opened, and workers report every three seconds.
SETTLING_SHARE = 1 / 6

# Each step has 50 % more users, at least one more: 1,000 are reached in 18 steps, nine minutes.
GROWTH = 1.5

# As many as one Locust process can handle with requests in flight; it cannot find the limit of a faster service.
MAX_USERS = 1_000

# Without --p95-ms: what people still perceive as immediate, with room for the network.
DEFAULT_P95_MS = 250.0


@dataclass(frozen=True)
class Step:
    """The measurements of one step."""

    users: int
    measurements: Measurements


class LimitSearch:
    """Decide how many users the next step has; independent of Locust and of clocks.

    Parameters
    ----------
    limits
        The first step that exceeds the p95, p99 or failure ratio is the last step. The minimum rate is ignored here,
        because it applies to the result only.

    Examples
    --------
    >>> search = LimitSearch(Limits(p95_ms=10))
    >>> fast, slow = Measurements(), Measurements()
    >>> fast.record(5.0, at_second=1.0)
    >>> slow.record(50.0, at_second=1.0)
    >>> search.users, search.end_step(fast), search.users, search.end_step(slow), search.users
    (1, True, 2, False, 2)
    >>> search.last_good.users
    1
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = replace(limits, min_rps=None)
        self.users = 1
        self.last_good: Step | None = None
        self.first_bad: Step | None = None

    def end_step(self, measurements: Measurements) -> bool:
        """Evaluate the step that ends, and return whether there is another one."""
        step = Step(self.users, measurements)
        if evaluate(measurements, self.limits).exit_code:
            self.first_bad = step
            return False
        self.last_good = step
        if self.users == MAX_USERS:
            return False
        self.users = min(MAX_USERS, max(self.users + 1, int(self.users * GROWTH)))
        return True

    @property
    def measurements(self) -> Measurements:
        """The measurements that the pass criteria apply to: those of the last good step, else of the first step."""
        step = self.last_good or self.first_bad
        return step.measurements if step else Measurements()

    def __str__(self) -> str:
        if self.last_good is None:
            if self.first_bad:
                return "No limit found: one user is already too many."
            return "No limit found: no step was completed."
        good = (
            f"The last good rate is {self.last_good.measurements.rate:.1f} requests/s, with {self.last_good.users} "
            f"users and a p95 of {self.last_good.measurements.percentile(0.95):.3g} ms"
        )
        if self.first_bad is None:
            return f"{good}; the run ended before a limit was exceeded."
        criteria = evaluate(self.first_bad.measurements, self.limits).criteria
        missed = [criterion.name for criterion in criteria if not criterion.is_met]
        users = self.first_bad.users
        if not missed:
            return f"{good}; with {users} users, no request was answered."
        return f"{good}; {users} users exceed the limit of {', '.join(missed)}."
