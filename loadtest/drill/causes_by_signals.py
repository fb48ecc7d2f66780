"""What happens to processes: they hang, die, multiply."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from loadtest.drill.causes import Cause, repeated
from loadtest.drill.chain import Chain
from loadtest.drill.replica import Replica
from loadtest.drill.traffic import batch, traffic
from loadtest.drill.trainings import ordinary_rows

# Killed workers are back within two seconds, and are killed again before an increase over four scrapes forgets them.
_KILL_PAUSE_SECONDS = 2.5

# Enough to bring the arbiter and what it started above the drill's limit.
_MORE_WORKERS = 10

# Between two signals to the arbiter, which forgets those beyond five that wait.
_SIGNAL_SECONDS = 0.2

# A recorder counts as dead after five seconds of silence; one that is held for three lives, but its queue overflows.
_HELD_SECONDS, _FREE_SECONDS = 3.0, 0.2

# Ten batches of 10,000 rows a second fill the queue within one.
_BATCH_ROWS, _BATCHES_PER_SECOND = 10_000, 10


@contextmanager
def hanging_replica(chain: Chain) -> Iterator[None]:
    """Stop a whole replica: it takes connections, and answers none."""
    replica = chain.replicas["hanging"]
    replica.signal_everything(signal.SIGSTOP)
    try:
        yield
    finally:
        replica.signal_everything(signal.SIGCONT)


@contextmanager
def dying_workers(chain: Chain) -> Iterator[None]:
    """Kill the workers of a replica again and again."""
    replica = chain.replicas["working"]
    with repeated(chain, lambda: replica.signal_workers(signal.SIGKILL), _KILL_PAUSE_SECONDS):
        yield


@contextmanager
def many_workers(chain: Chain) -> Iterator[None]:
    """Let a replica have many more workers, each with memory of its own."""
    replica = chain.replicas["working"]
    _signal_one_by_one(replica, signal.SIGTTIN)
    try:
        yield
    finally:
        _signal_one_by_one(replica, signal.SIGTTOU)


@contextmanager
def hanging_recorder(chain: Chain) -> Iterator[None]:
    """Stop a recorder."""
    replica = chain.replicas["recording"]
    replica.signal_recorder(signal.SIGSTOP)
    try:
        yield
    finally:
        replica.signal_recorder(signal.SIGCONT)


@contextmanager
def slow_recorder(chain: Chain) -> Iterator[None]:
    """Hold a recorder up for most of the time, while more rows come than the queue to it takes."""
    replica = chain.replicas["hanging"]
    request = batch(ordinary_rows(_BATCH_ROWS, random.Random(_BATCH_ROWS)))

    def hold_up() -> None:
        replica.signal_recorder(signal.SIGSTOP)
        time.sleep(_HELD_SECONDS)
        replica.signal_recorder(signal.SIGCONT)

    with (
        traffic(replica.address, _BATCHES_PER_SECOND, lambda number: request),
        repeated(chain, hold_up, _FREE_SECONDS),
    ):
        yield


def _signal_one_by_one(replica: Replica, number: signal.Signals) -> None:
    """Signal the arbiter for each worker."""
    for _ in range(_MORE_WORKERS):
        replica.signal_arbiter(number)
        time.sleep(_SIGNAL_SECONDS)


HANGING_REPLICA = Cause("a replica hangs", ("ServiceDown", "MetricsScrapeSlow"), hanging_replica)
DYING_WORKERS = Cause("workers are killed", ("WorkerRestarts",), dying_workers)
MANY_WORKERS = Cause("ten more workers", ("HighMemoryUsage",), many_workers)
HANGING_RECORDER = Cause("a recorder hangs", ("RecorderDown",), hanging_recorder)
SLOW_RECORDER = Cause("a recorder is held up", ("RecorderDropsRows",), slow_recorder)
