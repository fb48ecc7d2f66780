"""Measurements of a load that can be added up across processes: requests, failures, response times."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# Response times are counted in bins, each 1 % wider than the one before. A percentile is at most 1 % too high, a run of
# any length needs a few hundred counters, and unlike with Locust's whole milliseconds, 0.4 ms differs from 1.4 ms.
BIN_GROWTH = 1.01

# Shorter than any network round trip, and above 0 so that the logarithm is defined.
MIN_MS = 0.01


@dataclass
class Measurements:
    """The measurements of one or several processes.

    Parameters
    ----------
    requests
        Number of completed requests, successful or not.
    failures
        Number of failed requests: no answer, or a wrong one.
    unanswered
        Number of failures without any answer.
    seconds
        Time from the start of the measurement to the end of the last request.
    bins
        Number of requests by bin of their response time.

    Examples
    --------
    >>> measurements = Measurements()
    >>> for milliseconds in (1.0, 2.0, 3.0, 4.0):
    ...     measurements.record(milliseconds, at_second=2.0)
    >>> measurements.requests, measurements.rate, round(measurements.percentile(0.5), 1)
    (4, 2.0, 2.0)
    """

    requests: int = 0
    failures: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    bins: Counter[int] = field(default_factory=Counter)

    def record(self, milliseconds: float, at_second: float, failed: bool = False, answered: bool = True) -> None:
        """Record a request that took ``milliseconds`` and ended ``at_second`` seconds after the start."""
        self.requests += 1
        self.failures += failed
        self.unanswered += not answered
        self.seconds = max(self.seconds, at_second)
        self.bins[math.ceil(math.log(max(milliseconds, MIN_MS), BIN_GROWTH))] += 1

    def add(self, other: Measurements) -> None:
        """Add the measurements of another process, or later ones of the same process."""
        self.requests += other.requests
        self.failures += other.failures
        self.unanswered += other.unanswered
        self.seconds = max(self.seconds, other.seconds)
        self.bins += other.bins

    def since(self, earlier: Measurements) -> Measurements:
        """Return the measurements made since ``earlier``, a copy taken at that time."""
        return Measurements(
            self.requests - earlier.requests,
            self.failures - earlier.failures,
            self.unanswered - earlier.unanswered,
            self.seconds - earlier.seconds,
            self.bins - earlier.bins,
        )

    def copy(self) -> Measurements:
        """Return an independent copy."""
        return self.since(Measurements())

    @property
    def fail_ratio(self) -> float:
        """Failures divided by requests, in [0, 1]; 0 without requests."""
        return self.failures / self.requests if self.requests else 0.0

    @property
    def rate(self) -> float:
        """Requests per second; 0 without requests."""
        return self.requests / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """Return a percentile of the response times.

        Parameters
        ----------
        share
            In (0, 1]; 0.95 for p95.

        Returns
        -------
        Milliseconds, at most 1 % too high; 0 without requests.
        """
        # Rounding avoids floating-point error: 0.95 * 100 is slightly more than 95.
        wanted = math.ceil(round(share * self.requests, 6))
        counted = 0
        for number, requests in sorted(self.bins.items()):
            counted += requests
            if counted >= wanted:
                return float(BIN_GROWTH**number)
        return 0.0

    def to_message(self) -> dict[str, Any]:
        """Serialize the measurements for another process."""
        return {
            "requests": self.requests,
            "failures": self.failures,
            "unanswered": self.unanswered,
            "seconds": self.seconds,
            "bins": list(self.bins.items()),
        }

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Measurements:
        """Deserialize the result of ``to_message``."""
        return cls(**{**message, "bins": Counter(dict(message["bins"]))})
