"""What callers do: mistakes, huge batches, rows that moved, rows that nobody can be sure of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from loadtest.boundary import find_boundary_rows
from loadtest.drill.causes import Cause
from loadtest.drill.chain import Chain
from loadtest.drill.traffic import Body, ask, batch, single, traffic
from loadtest.drill.trainings import ordinary_rows
from loadtest.model_description import ask_for_model
from loadtest.payloads import Row

# Any fixed number: two drills send the same requests.
_SEED = 17

# What is usual between causes: enough for every window of the rules to hold some, far from what keeps a core busy.
USUAL_PER_SECOND = 10

# Twice what ErrorResponses allows.
_MISTAKES_PER_SECOND = 40

# Enough rows that one batch takes more than the 50 ms that count as slow, on a fast machine too.
_SLOW_BATCH_ROWS, _SLOW_PER_SECOND = 100_000, 5

# Detectors look at a hundred rows a second at most, and the usual ones must be few among them.
_MOVED_PER_SECOND = 100

# In standard deviations of the training: no detector can miss it.
_SHIFT = 4.0

# Many more than usual rows, whose labels are sure.
_UNSURE_PER_SECOND = 150


def usual_requests() -> Callable[[int], Body]:
    """Give rows like those of the training, one after the other."""
    requests = [single(row) for row in ordinary_rows(2000, random.Random(_SEED))]
    return lambda number: requests[number % len(requests)]


@contextmanager
def mistakes(chain: Chain) -> Iterator[None]:
    """Send what must be refused."""
    mistake = Body("/prediction", {"feature_vector": ["much", 0.5]})
    with traffic(chain.replicas["asked"].address, _MISTAKES_PER_SECOND, lambda number: mistake):
        yield


@contextmanager
def slow_batches(chain: Chain) -> Iterator[None]:
    """Send batches that take long."""
    request = batch(ordinary_rows(_SLOW_BATCH_ROWS, random.Random(_SEED)))
    with traffic(chain.replicas["asked"].address, _SLOW_PER_SECOND, lambda number: request):
        yield


@contextmanager
def moved_rows(chain: Chain) -> Iterator[None]:
    """Send rows far from those of the training."""
    rows = ordinary_rows(2000, random.Random(_SEED))
    requests = [single(tuple(value + _SHIFT for value in row)) for row in rows]
    with traffic(chain.replicas["asked"].address, _MOVED_PER_SECOND, lambda number: requests[number % len(requests)]):
        yield


@contextmanager
def unsure_rows(chain: Chain) -> Iterator[None]:
    """Send rows on the boundary between inliers and outliers."""
    address = chain.replicas["asked"].address
    threshold = ask_for_model(f"http://{address}").threshold

    def score(rows: Sequence[Row]) -> list[float]:
        return list(ask(address, batch(rows, ask_score=True))["anomaly_score"])

    found = find_boundary_rows(chain.trainings.rows, threshold, score, random.Random(_SEED))
    requests = [single(row) for row in found]
    with traffic(address, _UNSURE_PER_SECOND, lambda number: requests[number % len(requests)]):
        yield


MISTAKES = Cause("bad input", ("ErrorResponses",), mistakes)
SLOW_BATCHES = Cause("huge batches", ("LatencyBudgetBurn", "SlowPredictionResponse"), slow_batches)
MOVED_ROWS = Cause("rows move", ("DriftDetected", "PredictionScoreShift", "OutlierRateShift"), moved_rows)
UNSURE_ROWS = Cause("rows on the boundary", ("LowPredictionConfidence",), unsure_rows)
