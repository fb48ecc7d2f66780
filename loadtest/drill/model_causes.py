"""Failures of models and training runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loadtest.drill.causes import Cause
from loadtest.drill.testbed import Testbed
from loadtest.drill.traffic import traffic
from loadtest.drill.traffic_causes import ORDINARY_PER_SECOND, ordinary_requests
from loadtest.drill.trainings import replace_link

# Produces a different forest from the first training run's.
_NEWER_SEED = 17


@contextmanager
def missing_model(testbed: Testbed) -> Iterator[None]:
    """Restart a replica without a model, and send requests to it."""
    replica = testbed.replicas["modelless"]
    nothing = testbed.folder / "no-models"
    nothing.mkdir()
    replace_link(testbed.replaceable_models, nothing)
    replica.end()
    replica.start(until="/healthz")
    try:
        with traffic(replica.address, ORDINARY_PER_SECOND, ordinary_requests()):
            yield
    finally:
        replace_link(testbed.replaceable_models, testbed.trainings.models)


@contextmanager
def broken_model(testbed: Testbed) -> Iterator[None]:
    """Promote a bundle with a changed byte, and the previous bundle afterwards."""
    live = testbed.trainings.promote_broken_model()
    try:
        yield
    finally:
        testbed.trainings.promote(live)


@contextmanager
def old_model(testbed: Testbed) -> Iterator[None]:
    """Wait while the model ages, and train a newer one afterwards."""
    yield
    testbed.trainings.train_live_model(_NEWER_SEED)


@contextmanager
def waiting_training(testbed: Testbed) -> Iterator[None]:
    """Start a training run that waits for its rows."""
    pipe = testbed.folder / "rows-that-do-not-come.csv"
    training = testbed.trainings.start_waiting(pipe)
    try:
        yield
    finally:
        training.end()


@contextmanager
def failing_training(testbed: Testbed) -> Iterator[None]:
    """Train on an invalid file; the pushed metrics remain until the next training run succeeds."""
    training = testbed.trainings.start_failing()
    try:
        yield
    finally:
        training.end()
        testbed.trainings.train_live_model()


MISSING_MODEL = Cause(
    "a restart without a model",
    ("ModelMissing", "ServiceRestarting", "HighErrorRate", "AvailabilityBudgetBurn"),
    missing_model,
)
BROKEN_MODEL = Cause("a broken bundle goes live", ("ModelSwapRefused",), broken_model)
OLD_MODEL = Cause("time passes", ("RetrainingNeeded",), old_model)
WAITING_TRAINING = Cause("rows do not come", ("StalledTraining",), waiting_training)
FAILING_TRAINING = Cause("a bad file", ("TrainingFailed",), failing_training)
