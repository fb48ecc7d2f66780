"""What happens to models and to the trainings that make them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loadtest.drill.causes import Cause
from loadtest.drill.causes_by_traffic import USUAL_PER_SECOND, usual_requests
from loadtest.drill.chain import Chain
from loadtest.drill.traffic import traffic
from loadtest.drill.trainings import replace_link

# Another forest than that of the first training.
_NEWER_SEED = 17


@contextmanager
def missing_model(chain: Chain) -> Iterator[None]:
    """Start a replica again where there is no model, and ask it nevertheless."""
    replica = chain.replicas["modelless"]
    nothing = chain.folder / "no-models"
    nothing.mkdir()
    replace_link(chain.replaceable_models, nothing)
    replica.end()
    replica.start(until="/healthz")
    try:
        with traffic(replica.address, USUAL_PER_SECOND, usual_requests()):
            yield
    finally:
        replace_link(chain.replaceable_models, chain.trainings.models)


@contextmanager
def broken_model(chain: Chain) -> Iterator[None]:
    """Promote a bundle with a changed byte, and the one before it afterwards."""
    live = chain.trainings.promote_broken_model()
    try:
        yield
    finally:
        chain.trainings.promote(live)


@contextmanager
def old_model(chain: Chain) -> Iterator[None]:
    """Let time pass, and train a newer model afterwards."""
    yield
    chain.trainings.train_live_model(_NEWER_SEED)


@contextmanager
def waiting_training(chain: Chain) -> Iterator[None]:
    """Let a training wait for its rows."""
    pipe = chain.folder / "rows-that-do-not-come.csv"
    training = chain.trainings.start_waiting(pipe)
    try:
        yield
    finally:
        training.end()


@contextmanager
def failing_training(chain: Chain) -> Iterator[None]:
    """Train on what is no table; what was pushed of it stays until the next training succeeds."""
    training = chain.trainings.start_failing()
    try:
        yield
    finally:
        training.end()
        chain.trainings.train_live_model()


MISSING_MODEL = Cause(
    "a restart without a model",
    ("ModelMissing", "ServiceRestarting", "HighErrorRate", "AvailabilityBudgetBurn"),
    missing_model,
)
BROKEN_MODEL = Cause("a broken bundle goes live", ("ModelSwapRefused",), broken_model)
OLD_MODEL = Cause("time passes", ("RetrainingNeeded",), old_model)
WAITING_TRAINING = Cause("rows do not come", ("StalledTraining",), waiting_training)
FAILING_TRAINING = Cause("a bad file", ("TrainingFailed",), failing_training)
