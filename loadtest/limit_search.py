"""``--shape step-to-limit``: more and more users until the service is too slow or fails, and the rate before that."""

from __future__ import annotations

from dataclasses import dataclass, replace

from loadtest.figures import Figures
from loadtest.pass_criteria import Limits, judge

# What --shape calls it.
STEP_TO_LIMIT = "step-to-limit"

# Long enough for a p95 of a thousand requests at the slowest rates that are of interest.
STEP_SECONDS = 30.0

# Of each step the first sixth is not judged: connections are opened, and Locust's workers report every three seconds.
SETTLING_SHARE = 1 / 6

# Each step has half as many users more, at least one: 1,000 are reached in 18 steps, nine minutes.
GROWTH = 1.5

# What one Locust process can hold with requests in flight; a service that bears more has not been found by it.
MOST_USERS = 1_000

# Without --p95-ms: what people still feel as at once, with room for a network.
DEFAULT_P95_MS = 250.0


@dataclass(frozen=True)
class Step:
    """What was measured with a number of users."""

    users: int
    figures: Figures


class LimitSearch:
    """Decides how many users come next; knows nothing of Locust or of clocks.

    Parameters
    ----------
    limits
        A step that misses its p95, p99 or failure ratio is the last. Its least rate is not looked at: it is asked of
        the result.

    Examples
    --------
    >>> search = LimitSearch(Limits(p95_ms=10))
    >>> fast, slow = Figures(), Figures()
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

    def end_step(self, figures: Figures) -> bool:
        """Judge the step that ends, and tell whether there is another one."""
        step = Step(self.users, figures)
        if judge(figures, self.limits).exit_code:
            self.first_bad = step
            return False
        self.last_good = step
        if self.users == MOST_USERS:
            return False
        self.users = min(MOST_USERS, max(self.users + 1, int(self.users * GROWTH)))
        return True

    @property
    def result(self) -> Figures:
        """What the run is judged by: the last good step, or the first if there is no good one."""
        step = self.last_good or self.first_bad
        return step.figures if step else Figures()

    def __str__(self) -> str:
        if self.last_good is None:
            return "No limit was found: " + ("one user is already too many." if self.first_bad else "no step ended.")
        good = (
            f"The last good rate is {self.last_good.figures.rate:.1f} requests/s, with {self.last_good.users} users "
            f"and a p95 of {self.last_good.figures.percentile(0.95):.3g} ms"
        )
        if self.first_bad is None:
            return f"{good}; the run ended before a limit was crossed."
        missed = [judged.name for judged in judge(self.first_bad.figures, self.limits).criteria if not judged.is_met]
        return f"{good}; {self.first_bad.users} users cross the limit of {', '.join(missed) or 'any answer at all'}."
