"""The shapes as Locust runs them.

The classes are abstract to Locust, which would otherwise run the first one that it finds: without ``--shape`` no shape
exists, and ``-u`` and ``-t`` mean what they always do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from locust import LoadTestShape

from loadtest.figures import Figures
from loadtest.limit_search import SETTLING_SHARE, STEP_SECONDS, LimitSearch
from loadtest.pass_criteria import Limits
from loadtest.stages import Stage, spawn_rate, users_at


class TimedShape(LoadTestShape):
    """A shape that knows how long it has been running."""

    abstract = True

    def __init__(self, scale: float) -> None:
        # The ignores, here and below: Locust does not annotate its shapes.
        super().__init__()  # type: ignore[no-untyped-call]
        self.scale = scale

    def elapsed(self) -> float:
        """Tell the seconds since the beginning, in the time of a shape that is not scaled."""
        return float(self.get_run_time()) / self.scale  # type: ignore[no-untyped-call]


class StagedShape(TimedShape):
    """A shape whose number of users depends on the time alone."""

    abstract = True

    def __init__(self, stages: Sequence[Stage], scale: float) -> None:
        super().__init__(scale)
        self.stages = stages

    def tick(self) -> tuple[int, float] | None:
        """Answer Locust, which asks once a second; None ends the run."""
        users = users_at(self.stages, self.elapsed())
        return None if users is None else (users, spawn_rate(users))


class StepToLimitShape(TimedShape):
    """Runs a search in Locust.

    Parameters
    ----------
    limits
        What the service must keep.
    scale
        What the length of a step is multiplied by.
    measured
        Gives all figures of the run so far.
    """

    abstract = True

    def __init__(self, limits: Limits, scale: float, measured: Callable[[], Figures]) -> None:
        super().__init__(scale)
        self.limits, self.measured = limits, measured
        self.begin_search()

    def begin_search(self) -> None:
        """Begin with one user."""
        self.search = LimitSearch(self.limits)
        self.begin_step()

    def begin_step(self) -> None:
        """Begin a step: what comes before it has settled is left out."""
        self.step_began = self.elapsed()
        self.settled: Figures | None = None

    def reset_time(self) -> None:
        """Begin again, as Locust asks at the beginning of every run."""
        super().reset_time()  # type: ignore[no-untyped-call] # Locust does not annotate it.
        self.begin_search()

    def tick(self) -> tuple[int, float] | None:
        """Answer Locust, which asks once a second; None ends the run."""
        in_step = self.elapsed() - self.step_began
        if self.settled is None and in_step >= STEP_SECONDS * SETTLING_SHARE:
            self.settled = self.measured().copy()
        elif self.settled is not None and in_step >= STEP_SECONDS:
            if not self.search.end_step(self.measured().since(self.settled)):
                return None
            self.begin_step()
        return self.search.users, spawn_rate(self.search.users)
