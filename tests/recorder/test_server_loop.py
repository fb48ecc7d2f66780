"""The recorder's loop passes every row to all takers, to the very last."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from prometheus_client import CollectorRegistry

from app.metrics.recorder import RecorderMetrics
from app.metrics.service import ServiceMetrics
from app.recorder.client import RecorderClient
from app.recorder.listener import listen
from app.recorder.protocol import PublishedRows
from app.recorder.server import RecorderServer, record
from app.recorder.status import is_recorder_up
from tests.recorder.made_rows import make_scored


class _Taker:
    """Records how it is called."""

    def __init__(self) -> None:
        self.rows = self.rows_at_the_end = self.ticks = 0

    def take(self, published: PublishedRows) -> None:
        """Count the rows."""
        self.rows += len(published.scored.rows)

    def tick(self) -> None:
        """Count the seconds."""
        self.ticks += 1

    def finish(self) -> None:
        """Record what was taken before the end."""
        self.rows_at_the_end = self.rows


def test_every_taker_gets_every_row_until_the_service_has_ended(tmp_path: Path):
    """Even those that were sent just before its end; the heartbeat shows that the process is alive."""
    registry = CollectorRegistry()
    metrics = RecorderMetrics(registry, ["mmd"], {"cvm": True})
    takers = [_Taker(), _Taker()]
    shutdown_pipe, arbiter = os.pipe()
    server = RecorderServer(listen(tmp_path), shutdown_pipe)
    worker = RecorderClient(tmp_path, ServiceMetrics(CollectorRegistry()))
    recorder = threading.Thread(target=record, args=(server, takers, tmp_path, metrics.record_rows))

    recorder.start()
    for _ in range(100):
        worker.publish("7f3e", "v1", make_scored(10))
    os.close(arbiter)
    recorder.join()

    assert [taker.rows_at_the_end for taker in takers] == [1000, 1000]
    assert all(taker.ticks for taker in takers)
    assert registry.get_sample_value("recorder_rows_total", {"result": "recorded"}) == 1000
    assert is_recorder_up(tmp_path)
    worker.close()
    server.close()
    os.close(shutdown_pipe)


def test_rows_that_are_pending_when_the_service_has_ended_are_taken(tmp_path: Path):
    """A worker that has ended may have sent more than was read by then."""
    taker = _Taker()
    shutdown_pipe, arbiter = os.pipe()
    server = RecorderServer(listen(tmp_path), shutdown_pipe)
    worker = RecorderClient(tmp_path, ServiceMetrics(CollectorRegistry()))
    for _ in range(200):
        worker.publish("7f3e", "v1", make_scored(1))
    worker.close()
    os.close(arbiter)

    record(server, [taker], tmp_path)

    assert taker.rows_at_the_end == 200
    server.close()
    os.close(shutdown_pipe)
