"""Failures of processes (hanging, dying, multiplying) and of the record database (locked)."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

from loadtest.drill.causes import Cause, repeated
from loadtest.drill.replica import Replica
from loadtest.drill.testbed import Testbed
from loadtest.drill.traffic import batch, traffic
from loadtest.drill.traffic_causes import ORDINARY_PER_SECOND, ordinary_requests
from loadtest.drill.trainings import ordinary_rows

# Killed workers are replaced within two seconds. Kill them again before an increase over four scrapes is back to 0.
_KILL_PAUSE_SECONDS = 2.5

# Enough to bring the replica's memory above the drill's threshold.
_MORE_WORKERS = 10

# Between two signals: the arbiter queues at most five and drops the others.
_SIGNAL_SECONDS = 0.2

# A recorder counts as down after five seconds without a heartbeat; stopped for three, it is up but its queue overflows.
_HELD_SECONDS, _FREE_SECONDS = 3.0, 0.2

# Ten batches of 10,000 rows per second fill the queue within a second.
_BATCH_ROWS, _BATCHES_PER_SECOND = 10_000, 10

# A recorder holds the database only for the milliseconds of a batch.
_LOCK_SECONDS = 10


@contextmanager
def hanging_replica(testbed: Testbed) -> Iterator[None]:
    """Stop a whole replica: it accepts connections, but does not answer."""
    replica = testbed.replicas["hanging"]
    replica.signal_everything(signal.SIGSTOP)
    try:
        yield
    finally:
        replica.signal_everything(signal.SIGCONT)


@contextmanager
def dying_workers(testbed: Testbed) -> Iterator[None]:
    """Kill the workers of a replica repeatedly."""
    replica = testbed.replicas["working"]
    with repeated(testbed, lambda: replica.signal_workers(signal.SIGKILL), _KILL_PAUSE_SECONDS):
        yield


@contextmanager
def many_workers(testbed: Testbed) -> Iterator[None]:
    """Add many workers to a replica, each with its own memory."""
    replica = testbed.replicas["working"]
    _signal_one_by_one(replica, signal.SIGTTIN)
    try:
        yield
    finally:
        _signal_one_by_one(replica, signal.SIGTTOU)


@contextmanager
def hanging_recorder(testbed: Testbed) -> Iterator[None]:
    """Stop a recorder."""
    replica = testbed.replicas["recording"]
    replica.signal_recorder(signal.SIGSTOP)
    try:
        yield
    finally:
        replica.signal_recorder(signal.SIGCONT)


@contextmanager
def slow_recorder(testbed: Testbed) -> Iterator[None]:
    """Stop a recorder most of the time while more rows arrive than its queue holds."""
    replica = testbed.replicas["hanging"]
    request = batch(ordinary_rows(_BATCH_ROWS, random.Random(_BATCH_ROWS)))

    def hold_up() -> None:
        replica.signal_recorder(signal.SIGSTOP)
        time.sleep(_HELD_SECONDS)
        replica.signal_recorder(signal.SIGCONT)

    with (
        traffic(replica.address, _BATCHES_PER_SECOND, lambda number: request),
        repeated(testbed, hold_up, _FREE_SECONDS),
    ):
        yield


@contextmanager
def locked_records(testbed: Testbed) -> Iterator[None]:
    """Lock a replica's record database, as a tool in an open transaction would, and send requests to the replica."""
    replica = testbed.replicas["recording"]
    # In autocommit mode, Python starts and ends no transactions of its own.
    with closing(sqlite3.connect(replica.records, timeout=_LOCK_SECONDS, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        try:
            with traffic(replica.address, ORDINARY_PER_SECOND, ordinary_requests()):
                yield
        finally:
            connection.execute("ROLLBACK")


def _signal_one_by_one(replica: Replica, number: signal.Signals) -> None:
    """Signal the arbiter once per worker."""
    for _ in range(_MORE_WORKERS):
        replica.signal_arbiter(number)
        time.sleep(_SIGNAL_SECONDS)


HANGING_REPLICA = Cause("a replica hangs", ("ServiceDown", "MetricsScrapeSlow"), hanging_replica)
DYING_WORKERS = Cause("workers are killed", ("WorkerRestarts",), dying_workers)
MANY_WORKERS = Cause("ten more workers", ("HighMemoryUsage",), many_workers)
HANGING_RECORDER = Cause("a recorder hangs", ("RecorderDown",), hanging_recorder)
SLOW_RECORDER = Cause("a recorder is slow", ("RecorderDropsRows",), slow_recorder)
LOCKED_RECORDS = Cause("the records are locked", ("RecordsNotWritten",), locked_records)
