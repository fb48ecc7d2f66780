"""The worker's turns of checking deadlines; the deadlines themselves are tested with real sockets in tests/system."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from app.server.worker import FrontWorker

TICKS = 10


def make_worker(n_connections: int, checked: Counter[Any]) -> Any:
    """Return a worker that serves nothing, with stand-ins for connections that count their checks."""
    worker: Any = FrontWorker.__new__(FrontWorker)
    worker.connections, worker._unchecked = {}, []
    worker.notify, worker.loop = (lambda: None), SimpleNamespace(time=lambda: 0.0)
    for _ in range(n_connections):
        add_connection(worker, checked)
    return worker


def add_connection(worker: Any, checked: Counter[Any]) -> Any:
    """Add a stand-in for a connection."""

    class Connection:
        def check_deadlines(self, now: float) -> None:
            checked[self] += 1

    worker.connections[connection := Connection()] = None
    return connection


def test_each_connection_is_checked_once_in_ten_ticks():
    """In portions of the same size, so that no tick takes long."""
    checked: Counter[Any] = Counter()
    worker = make_worker(2000, checked)
    for tick in range(1, TICKS + 1):
        worker._tick()
        assert checked.total() == 200 * tick
    assert set(checked.values()) == {1}


def test_connections_that_left_delay_nobody():
    """After 2,000 have gone, a new one is checked as soon as always."""
    checked: Counter[Any] = Counter()
    worker = make_worker(2000, checked)
    worker._tick()
    worker.connections.clear()
    late = add_connection(worker, checked)
    for _ in range(2 * TICKS):
        worker._tick()
    assert checked[late] >= 1
    assert checked.total() - checked[late] == 200
