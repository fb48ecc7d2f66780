"""The server knows until when it has received everything that was sent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from app.metrics.service import ServiceMetrics
from app.recorder.client import RecorderClient
from app.recorder.listener import listen
from app.recorder.server import RecorderServer
from tests.recorder.made_rows import make_scored


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RecorderServer]:
    """A server that has received nothing."""
    shutdown_pipe, arbiter = os.pipe()
    server = RecorderServer(listen(tmp_path), shutdown_pipe)
    yield server
    server.close()
    os.close(shutdown_pipe)
    os.close(arbiter)


def _worker(folder: Path) -> RecorderClient:
    return RecorderClient(folder, ServiceMetrics(CollectorRegistry()))


def test_worker_that_has_just_connected_is_read(server: RecorderServer, tmp_path: Path):
    """What it sent before its connection was accepted is received first."""
    workers = [_worker(tmp_path) for _ in range(3)]
    for worker in workers:
        worker.publish("7f3e", "v1", make_scored(1))
    sent = time.time()
    n_rows = 0
    while server.drained_until < sent:
        n_rows += len(list(server.receive(0)))

    assert n_rows == 3
    for worker in workers:
        worker.close()


def test_worker_with_more_messages_than_its_turn_is_not_drained(server: RecorderServer, tmp_path: Path):
    """As long as something is left, the time does not advance."""
    worker = _worker(tmp_path)
    list(server.receive(0))
    n_sent = 0
    while not worker._metrics.registry.get_sample_value("recorder_rows_total", {"result": "dropped"}):
        worker.publish("7f3e", "v1", make_scored(1))
        n_sent += 1
    sent = time.time()
    n_given = 0
    while n_given < n_sent - 1:
        assert server.drained_until < sent
        n_given += len(list(server.receive(0)))
    list(server.receive(0))

    assert server.drained_until >= sent
    worker.close()


def test_row_that_is_being_processed_is_not_done(server: RecorderServer, tmp_path: Path):
    """It is done when the next one is requested."""
    worker = _worker(tmp_path)
    list(server.receive(0))
    worker.publish("7f3e", "v1", make_scored(1))
    sent = time.time()
    given = server.receive(0)
    next(given)
    assert server.drained_until < sent

    assert list(given) == []
    assert server.drained_until >= sent
    worker.close()
