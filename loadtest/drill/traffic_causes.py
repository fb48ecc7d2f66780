"""Failures caused by traffic: invalid requests, huge batches, drifted rows, rows on the boundary."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from loadtest.boundary import find_boundary_rows
from loadtest.drill.causes import Cause
from loadtest.drill.testbed import Testbed
from loadtest.drill.traffic import Request, batch, request_json, single, traffic
from loadtest.drill.trainings import ordinary_rows
from loadtest.model_description import request_model_description
from loadtest.rows import Row

# Any fixed number: two drills send the same requests.
_SEED = 17

# Ordinary traffic: enough for every window of the rules to contain requests, but far from filling a core.
ORDINARY_PER_SECOND = 10

# Twice the threshold of ErrorResponses.
_INVALID_PER_SECOND = 40

# Enough rows for a batch to exceed the 50 ms that count as slow, on a fast machine too; one sender for each worker, so
# that slow answers are a large share also on a busy machine, where each takes seconds.
_SLOW_BATCH_ROWS, _SLOW_PER_SECOND, _SLOW_SENDERS = 60_000, 5, 2

# Detectors process at most a hundred rows per second, and ordinary rows must be few among them.
_DRIFTED_PER_SECOND = 100

# In standard deviations of the training rows: no detector can miss it.
_SHIFT = 4.0

# Many more than ordinary rows, which have a high confidence.
_BOUNDARY_PER_SECOND = 150


def ordinary_requests() -> Callable[[int], Request]:
    """Return a function that returns ordinary requests by number, with rows like the training rows."""
    requests = [single(row) for row in ordinary_rows(2000, random.Random(_SEED))]
    return lambda number: requests[number % len(requests)]


@contextmanager
def invalid_requests(testbed: Testbed) -> Iterator[None]:
    """Send invalid requests."""
    request = Request("/prediction", {"feature_vector": ["much", 0.5]})
    with traffic(testbed.replicas["serving"].address, _INVALID_PER_SECOND, lambda number: request):
        yield


@contextmanager
def slow_batches(testbed: Testbed) -> Iterator[None]:
    """Send batches that take long to answer."""
    request = batch(ordinary_rows(_SLOW_BATCH_ROWS, random.Random(_SEED)))
    with ExitStack() as stack:
        for _ in range(_SLOW_SENDERS):
            sender = traffic(testbed.replicas["serving"].address, _SLOW_PER_SECOND, lambda number: request)
            stack.enter_context(sender)
        yield


@contextmanager
def drifted_rows(testbed: Testbed) -> Iterator[None]:
    """Send rows far from the training rows."""
    rows = ordinary_rows(2000, random.Random(_SEED))
    requests = [single(tuple(value + _SHIFT for value in row)) for row in rows]
    with traffic(
        testbed.replicas["serving"].address, _DRIFTED_PER_SECOND, lambda number: requests[number % len(requests)]
    ):
        yield


@contextmanager
def boundary_rows(testbed: Testbed) -> Iterator[None]:
    """Send rows close to the decision boundary."""
    address = testbed.replicas["serving"].address
    threshold = request_model_description(f"http://{address}").threshold

    def score(rows: Sequence[Row]) -> list[float]:
        return list(request_json(address, batch(rows, with_score=True))["anomaly_score"])

    found = find_boundary_rows(testbed.trainings.rows, threshold, score, random.Random(_SEED))
    requests = [single(row) for row in found]
    with traffic(address, _BOUNDARY_PER_SECOND, lambda number: requests[number % len(requests)]):
        yield


INVALID_REQUESTS = Cause("bad input", ("ErrorResponses",), invalid_requests)
SLOW_BATCHES = Cause("huge batches", ("LatencyBudgetBurn", "SlowPredictionResponse"), slow_batches)
DRIFTED_ROWS = Cause(
    "rows drift", ("DriftDetected", "PredictionScoreShift", "OutlierRateShift", "UnfamiliarValues"), drifted_rows
)
BOUNDARY_ROWS = Cause("rows on the boundary", ("LowPredictionConfidence",), boundary_rows)
