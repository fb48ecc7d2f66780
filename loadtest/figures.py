"""What a load measured, in numbers that processes can add up: requests, failures, response times."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Response times are counted in bins, each 1 % longer than the one before: a percentile is at most 1 % too long, a run
# of any length takes a few hundred numbers, and unlike Locust's whole milliseconds 0.4 ms differ from 1.4 ms.
BIN_GROWTH = 1.01

# Shorter than any answer over a network, so that the logarithm of a time is always defined.
SHORTEST_MS = 0.01


@dataclass
class Figures:
    """What was measured, in one process or in several.

    Parameters
    ----------
    requests
        Number of requests that ended, whether well or not.
    failures
        How many of them failed: no answer, or a wrong one.
    unanswered
        How many of the failures had no answer at all.
    seconds
        From the beginning of the measurement to the end of its last request.
    bins
        Number of requests by the bin of their response time.

    Examples
    --------
    >>> figures = Figures()
    >>> for milliseconds in (1.0, 2.0, 3.0, 4.0):
    ...     figures.record(milliseconds, at_second=2.0)
    >>> figures.requests, figures.rate, round(figures.percentile(0.5), 1)
    (4, 2.0, 2.0)
    """

    requests: int = 0
    failures: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    bins: Counter[int] = field(default_factory=Counter)

    def record(self, milliseconds: float, at_second: float, has_failed: bool = False, answered: bool = True) -> None:
        """Count one request that took ``milliseconds`` and ended ``at_second`` of the measurement."""
        self.requests += 1
        self.failures += has_failed
        self.unanswered += not answered
        self.seconds = max(self.seconds, at_second)
        self.bins[math.ceil(math.log(max(milliseconds, SHORTEST_MS), BIN_GROWTH))] += 1

    def add(self, other: Figures) -> None:
        """Add what was measured at the same time elsewhere, or by the same process since it was last asked."""
        self.requests += other.requests
        self.failures += other.failures
        self.unanswered += other.unanswered
        self.seconds = max(self.seconds, other.seconds)
        self.bins += other.bins

    def since(self, earlier: Figures) -> Figures:
        """Give what came after ``earlier``, a copy of these figures that was made then."""
        return Figures(
            self.requests - earlier.requests,
            self.failures - earlier.failures,
            self.unanswered - earlier.unanswered,
            self.seconds - earlier.seconds,
            self.bins - earlier.bins,
        )

    def copy(self) -> Figures:
        """Give figures that stay as they are."""
        return self.since(Figures())

    @property
    def fail_ratio(self) -> float:
        """Failures over requests, in [0, 1]; 0 without a request."""
        return self.failures / self.requests if self.requests else 0.0

    @property
    def rate(self) -> float:
        """Requests a second; 0 without a request."""
        return self.requests / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Tell the time within which a share of the requests ended.

        Parameters
        ----------
        share
            In (0, 1]; 0.95 asks for p95.

        Returns
        -------
        Milliseconds, up to 1 % too long; 0 without a request.
        """
        # The comparison is with a whole number, because 0.95 * 100 is a little more than 95 in floating point.
        wanted = math.ceil(round(share * self.requests, 6))
        counted = 0
        for number, requests in sorted(self.bins.items()):
            counted += requests
            if counted >= wanted:
                return float(BIN_GROWTH**number)
        return 0.0

    def to_message(self) -> dict[str, Any]:
        """Lay the figures out for another process."""
        return {
            "requests": self.requests,
            "failures": self.failures,
            "unanswered": self.unanswered,
            "seconds": self.seconds,
            "bins": list(self.bins.items()),
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Figures:
        """Read what ``to_message`` laid out."""
        return cls(**{**message, "bins": Counter(dict(message["bins"]))})
