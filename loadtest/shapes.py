"""The shapes, as classes that Locust runs.

The classes are abstract to Locust, which would otherwise run the first one that it finds: without ``--shape`` there is
no shape, and ``-u`` and ``-t`` work as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from locust import LoadTestShape

from loadtest.limit_search import SETTLING_SHARE, STEP_SECONDS, LimitSearch
from loadtest.measurements import Measurements
from loadtest.pass_criteria import Limits
from loadtest.stages import Stage, spawn_rate, users_at


class TimedShape(LoadTestShape):
    """A shape that knows its run time."""

    abstract = True

    def __init__(self, scale: float) -> None:
        # Locust does not annotate its shapes, hence the ignores here and below.
        super().__init__()  # type: ignore[no-untyped-call]
        self.scale = scale

    def elapsed(self) -> float:
        """Return the seconds since the start, in the time of the unscaled shape."""
        return float(self.get_run_time()) / self.scale  # type: ignore[no-untyped-call]


class StagedShape(TimedShape):
    """A shape whose number of users depends on time only."""

    abstract = True

    def __init__(self, stages: Sequence[Stage], scale: float) -> None:
        super().__init__(scale)
        self.stages = stages

    def tick(self) -> tuple[int, float] | None:
        """Return the number of users and the spawn rate; None ends the run. Locust calls this once a second."""
        users = users_at(self.stages, self.elapsed())
        return None if users is None else (users, spawn_rate(users))


class StepToLimitShape(TimedShape):
    """Run a ``LimitSearch`` in Locust.

    Parameters
    ----------
    limits
        The limits that end the search.
    scale
        Factor for the duration of a step.
    measured
        Returns all measurements of the run so far.
    """

    abstract = True

    def __init__(self, limits: Limits, scale: float, measured: Callable[[], Measurements]) -> None:
        super().__init__(scale)
        self.limits, self.measured = limits, measured
        self.start_search()

    def start_search(self) -> None:
        """Start the search with one user."""
        self.search = LimitSearch(self.limits)
        self.start_step()

    def start_step(self) -> None:
        """Start a step; its first part is not measured."""
        self.step_started = self.elapsed()
        self.settled: Measurements | None = None

    def reset_time(self) -> None:
        """Restart the search; Locust calls this at the start of every run."""
        super().reset_time()  # type: ignore[no-untyped-call]
        self.start_search()

    def tick(self) -> tuple[int, float] | None:
        """Return the number of users and the spawn rate; None ends the run. Locust calls this once a second."""
        in_step = self.elapsed() - self.step_started
        if self.settled is None and in_step >= STEP_SECONDS * SETTLING_SHARE:
            self.settled = self.measured().copy()
        elif self.settled is not None and in_step >= STEP_SECONDS:
            if not self.search.end_step(self.measured().since(self.settled)):
                return None
            self.start_step()
        return self.search.users, spawn_rate(self.search.users)
