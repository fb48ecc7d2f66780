"""Tables of the loads that ``--shape NAME`` offers, which change over time and end by themselves.

``step-to-limit`` is not a table, because its steps depend on the measurements; see ``loadtest.limit_search``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

# Start all users of a stage within a second where possible; Locust warns about more than 100 per second.
MAX_SPAWN_RATE = 100.0


@dataclass(frozen=True)
class Stage:
    """A number of users for a duration.

    Parameters
    ----------
    seconds
        Its duration at ``--shape-scale 1``.
    users
        Number of users, each with one request in flight.
    """

    seconds: float
    users: int


STAGES: dict[str, tuple[Stage, ...]] = {
    # Up and down in steps of half a minute: visible on every dashboard within four minutes.
    "ramp": tuple(Stage(seconds=30, users=users) for users in (1, 2, 3, 5, 3, 2, 1)),
    # The same with more users, who send invalid requests: for panels and alerts about rejected requests.
    "errors": tuple(Stage(seconds=30, users=users) for users in (1, 3, 5, 10, 5, 3, 1)),
    # Twenty-five times the load within a second, then time for the service to recover.
    "spike": (Stage(seconds=60, users=2), Stage(seconds=30, users=50), Stage(seconds=90, users=2)),
    # Long enough for a leak of a megabyte per minute to show; --shape-scale 8 is a working day.
    "soak": (Stage(seconds=3600, users=5),),
}

# Users of a shape unless others are selected by name or tag; all other shapes use the default users.
USERS_OF_SHAPE = {"errors": "BadInputUser"}


def users_at(stages: Sequence[Stage], seconds: float) -> int | None:
    """Return the number of users at a time.

    Parameters
    ----------
    stages
        The stages, in order.
    seconds
        Time since the start.

    Returns
    -------
    The number of users, or None after the last stage.

    Examples
    --------
    >>> stages = [Stage(seconds=30, users=1), Stage(seconds=30, users=5)]
    >>> users_at(stages, 29.9), users_at(stages, 30), users_at(stages, 60)
    (1, 5, None)
    """
    ends = accumulate(stage.seconds for stage in stages)
    return next((stage.users for stage, end in zip(stages, ends, strict=True) if seconds < end), None)


def spawn_rate(users: int) -> float:
    """Return how many users may be started or stopped per second."""
    return min(float(users), MAX_SPAWN_RATE)
