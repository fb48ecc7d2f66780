"""Loads that change over time and end by themselves, as tables: what ``--shape NAME`` chooses from.

``step-to-limit`` is no table, because what it does depends on what is measured; see ``loadtest.limit_search``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

# All users of a stage begin within a second, so that the stage is one: Locust warns of more than 100 a second.
HIGHEST_SPAWN_RATE = 100.0


@dataclass(frozen=True)
class Stage:
    """A number of users for a time.

    Parameters
    ----------
    seconds
        How long it lasts, at ``--shape-scale 1``.
    users
        How many users there are, each with one request in flight.
    """

    seconds: float
    users: int


STAGES: dict[str, tuple[Stage, ...]] = {
    # Up and down again in half-minutes: something to see on every dashboard within four minutes.
    "ramp": tuple(Stage(seconds=30, users=users) for users in (1, 2, 3, 5, 3, 2, 1)),
    # The same with more users, who send bad input: for panels and alerts about refused requests.
    "errors": tuple(Stage(seconds=30, users=users) for users in (1, 3, 5, 10, 5, 3, 1)),
    # Twenty-five times the load within a second, and time to see the service recover.
    "spike": (Stage(seconds=60, users=2), Stage(seconds=30, users=50), Stage(seconds=90, users=2)),
    # Long enough for a leak of a megabyte a minute to show; --shape-scale 8 is a working day.
    "soak": (Stage(seconds=3600, users=5),),
}

# Who runs in a shape unless users are chosen by name or tag; in all others it is the users who run without a shape.
USERS_OF_SHAPE = {"errors": "BadInputUser"}


def users_at(stages: Sequence[Stage], seconds: float) -> int | None:
    """Tell how many users there are at a time.

    Parameters
    ----------
    stages
        One after the other.
    seconds
        Since the beginning.

    Returns
    -------
    Number of users, or None after the last stage.

    Examples
    --------
    >>> stages = [Stage(seconds=30, users=1), Stage(seconds=30, users=5)]
    >>> users_at(stages, 29.9), users_at(stages, 30), users_at(stages, 60)
    (1, 5, None)
    """
    ends = accumulate(stage.seconds for stage in stages)
    return next((stage.users for stage, end in zip(stages, ends, strict=True) if seconds < end), None)


def spawn_rate(users: int) -> float:
    """Tell how many users may begin or end in a second."""
    return min(float(users), HIGHEST_SPAWN_RATE)
