"""Workers send rows without waiting, and count which were sent and which dropped."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from app.metrics.service import ServiceMetrics
from app.recorder.client import RecorderClient
from app.recorder.listener import listen
from app.recorder.protocol import SENDING_AGAIN, SENT_AGAIN, PublishedRows
from app.recorder.server import RecorderServer
from tests.recorder.made_rows import make_scored


class _Service:
    """A worker and a recorder in one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = CollectorRegistry()
        self.shutdown_pipe, self.arbiter = os.pipe()
        self.server: RecorderServer | None = None
        self.worker = RecorderClient(folder, ServiceMetrics(self.registry))

    def start_recorder(self) -> None:
        """Open a listener that replaces the previous one."""
        self.server = RecorderServer(listen(self.folder), self.shutdown_pipe)

    def end_recorder(self) -> None:
        """Close the listener and every connection."""
        if self.server:
            self.server.close()
            self.server = None

    def received(self) -> list[PublishedRows]:
        """Return everything that was sent."""
        return list(self.server.drain())

    def registry_of_keeping(self) -> CollectorRegistry:
        """Replace the registry, for another worker."""
        self.registry = CollectorRegistry()
        return self.registry

    def counted(self, result: str) -> float:
        """Return how many rows had this result."""
        return self.registry.get_sample_value("recorder_rows_total", {"result": result})

    def close(self) -> None:
        """Close everything."""
        self.worker.close()
        self.end_recorder()
        os.close(self.shutdown_pipe)
        os.close(self.arbiter)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[_Service]:
    """A service whose recorder has not been started."""
    service = _Service(tmp_path)
    yield service
    service.close()


def test_rows_arrive_with_their_results(service: _Service):
    """A batch that needs several messages arrives complete, and is counted as sent."""
    service.start_recorder()
    service.worker.reconnect()
    scored = make_scored(5000)
    service.worker.publish("7f3e", "v1", scored)
    parts = service.received()

    assert len(parts) > 1
    assert {(part.request_id, part.version) for part in parts} == {("7f3e", "v1")}
    np.testing.assert_array_equal(np.concatenate([part.scored.rows for part in parts]), scored.rows)
    assert (service.counted("sent"), service.counted("dropped")) == (5000, 0)


def test_without_a_recorder_rows_are_dropped_counted_and_logged(service: _Service, caplog: pytest.LogCaptureFixture):
    """Both counters exist from the start; the log says it at most once a minute."""
    assert (service.counted("sent"), service.counted("dropped"), service.counted("recorded")) == (0, 0, 0)

    service.worker.publish("7f3e", "v1", make_scored(3))

    assert (service.counted("sent"), service.counted("dropped")) == (0, 3)
    for _ in range(3):
        service.worker.reconnect()
        service.worker.publish("7f3e", "v1", make_scored(1))
    assert [line.split(",")[0] for line in caplog.messages] == ["3 rows not passed to the recorder"]


def test_rows_beyond_the_queue_are_dropped_and_the_rest_arrives(service: _Service):
    """A recorder that does not read blocks nobody; what it reads later is what was counted as sent."""
    service.start_recorder()
    service.worker.reconnect()
    while not service.counted("dropped"):
        service.worker.publish("7f3e", "v1", make_scored(1))
    alone = service.counted("sent") + service.counted("dropped")
    for _ in range(10):
        service.worker.publish("7f3e", "v1", make_scored(20_000))

    rows = sum(len(part.scored.rows) for part in service.received())

    assert rows == service.counted("sent") > 200
    assert rows + service.counted("dropped") == alone + 200_000

    # A full queue is no broken connection.
    service.worker.publish("7f3e", "v1", make_scored(1))
    assert service.counted("sent") == rows + 1


def test_worker_reconnects_to_the_next_recorder(service: _Service):
    """One message fails when the recorder has died; then rows are dropped until the next check."""
    service.start_recorder()
    service.worker.reconnect()
    service.worker.publish("7f3e", "v1", make_scored(1))
    service.received()
    service.end_recorder()
    for _ in range(3):
        service.worker.publish("7f3e", "v1", make_scored(1))
    assert (service.counted("sent"), service.counted("dropped")) == (1, 3)

    service.start_recorder()
    service.worker.publish("7f3e", "v1", make_scored(1))
    assert service.counted("dropped") == 4
    service.worker.reconnect()
    service.worker.publish("7f3e", "v1", make_scored(1))

    assert [len(part.scored.rows) for part in service.received()] == [1]
    assert (service.counted("sent"), service.counted("dropped")) == (2, 4)


def test_broken_connection_is_closed_at_the_next_check(service: _Service, monkeypatch: pytest.MonkeyPatch):
    """Not earlier: another thread may be sending, and its message must not go elsewhere."""
    service.start_recorder()
    service.worker.reconnect()
    service.received()
    broken = service.worker._connection
    service.end_recorder()
    service.worker.publish("7f3e", "v1", make_scored(1))
    assert broken.fileno() != -1

    service.worker.reconnect()

    assert broken.fileno() == -1


def test_folder_with_a_long_name_works(tmp_path: Path):
    """The address of a Unix socket holds 107 bytes; a path may be longer."""
    folder = tmp_path / ("long" * 40)
    folder.mkdir()
    service = _Service(folder)
    service.start_recorder()
    service.worker.reconnect()
    service.worker.publish("7f3e", "v1", make_scored(2))

    assert [len(part.scored.rows) for part in service.received()] == [2]
    assert (folder / "recorder.sock").stat().st_mode & 0o777 == 0o600
    service.close()


def test_end_of_the_service_is_seen_after_the_last_rows(service: _Service):
    """What was sent before the end is still received, even from a worker that has ended."""
    service.start_recorder()
    service.worker.reconnect()
    service.worker.publish("7f3e", "v1", make_scored(2))
    service.worker.close()
    os.close(service.arbiter)
    parts = list(service.server.receive(10))
    assert service.server.has_ended

    assert [len(part.scored.rows) for part in parts + service.received()] == [2]
    service.arbiter = os.open(os.devnull, os.O_RDONLY)


def test_garbage_is_logged_and_skipped(service: _Service, caplog: pytest.LogCaptureFixture):
    """The rows after it arrive."""
    service.start_recorder()
    stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with stranger:
        stranger.connect(str(service.folder / "recorder.sock"))
        stranger.send(b"no message")
        [(message, _)] = PublishedRows(0.0, "7f3e", "v1", 0, make_scored(2)).to_messages()
        stranger.send(message)

        assert [part.request_id for part in service.received()] == ["7f3e"]
    assert "A message of 10 bytes does not hold scored rows" in caplog.text


@pytest.fixture
def keeping(service: _Service) -> _Service:
    """The same, with a worker that keeps rows until they are acknowledged."""
    service.worker.close()
    service.worker = RecorderClient(service.folder, ServiceMetrics(service.registry_of_keeping()), keeps_rows=True)
    return service


def test_rows_that_are_not_acknowledged_are_sent_again(keeping: _Service):
    """To the next recorder, in order and with those that came in between; acknowledged ones are not."""
    keeping.start_recorder()
    keeping.worker.reconnect()
    keeping.worker.publish("one", "v1", make_scored(3))
    keeping.worker.publish("two", "v1", make_scored(2))
    first, second = keeping.received()
    assert (first.position, first.end, second.position, second.end) == (0, 3, 3, 5)
    keeping.server.acknowledge(first.worker, first.end)
    keeping.worker.reconnect()
    keeping.end_recorder()
    keeping.worker.publish("three", "v1", make_scored(1))
    keeping.start_recorder()
    keeping.worker.publish("four", "v1", make_scored(1))
    for _ in range(2):
        keeping.worker.reconnect()

    assert [part.request_id for part in keeping.received()] == ["two", "three", "four"]
    assert (keeping.counted("sent"), keeping.counted("dropped")) == (7, 0)


def test_what_is_kept_is_bounded_and_stays_in_order(keeping: _Service):
    """Without a recorder, rows beyond the limit are dropped and counted; so they are if the recorder is slow."""
    for _ in range(30):
        keeping.worker.publish("7f3e", "v1", make_scored(1000))
    assert keeping.counted("dropped") > 0
    keeping.start_recorder()
    for number in range(3000):
        keeping.worker.publish("7f3e", "v1", make_scored(1))
        if number % 100 == 0:
            keeping.worker.reconnect()
    received = keeping.received()
    for _ in range(5):
        received += keeping.received()
        keeping.worker.reconnect()

    assert [part.position for part in received[1:]] == [part.end for part in received[:-1]]
    assert received[-1].end == keeping.counted("sent")


def test_recorder_knows_when_kept_rows_follow(service: _Service):
    """Otherwise, a label of a row that is not there yet would be called unknown."""
    service.start_recorder()
    service.worker.close()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as worker:
        worker.connect(str(service.folder / "recorder.sock"))
        worker.send(SENDING_AGAIN)
        service.received()
        assert service.server.drained_until == 0
        worker.send(SENT_AGAIN)
        service.received()
        assert service.server.drained_until > 0
        worker.send(SENDING_AGAIN)
        drained_until = service.server.drained_until
        service.received()
        assert service.server.drained_until == drained_until
    service.received()
    assert service.server.drained_until > drained_until
