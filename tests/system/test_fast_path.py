"""Predictions on an open connection are answered promptly, however their bytes arrive, and despite slow clients."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running_service import RunningService, start_service

pytestmark = pytest.mark.system

BODY = json.dumps({"feature_vector": [0.56, 0.23], "score": True}).encode()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service with one worker, so that every connection uses the same event loop."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models, WEB_CONCURRENCY="1") as running:
        yield running


def _connect(service: RunningService) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(service.address.rsplit(":", 1)[1])), 20)


def _message(body: bytes = BODY, path: str = "/prediction", more: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _read_answer(client: socket.socket) -> tuple[int, dict[str, object]]:
    """Read exactly one response and return its status and JSON."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, "the connection was closed without an answer"
        head += byte
    (length,) = (int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length"))
    body = b""
    while len(body) < length:
        body += client.recv(length - len(body))
    return int(head.split()[1]), json.loads(body)


def test_requests_follow_each_other_on_one_connection(service: RunningService):
    """The first request uses a thread, the others the fast path, with the same answers."""
    before = service.metric("predictions_scores_count")
    with _connect(service) as client:
        answers = []
        for _ in range(20):
            client.sendall(_message())
            answers.append(_read_answer(client))

    assert answers == [answers[0]] * 20
    assert answers[0][0] == 200
    assert service.metric("predictions_scores_count") - before == 20


def test_requests_in_one_packet_are_all_answered(service: RunningService):
    """A client that pipelines requests gets its answers in order."""
    with _connect(service) as client:
        client.sendall(_message())
        _read_answer(client)
        client.sendall(_message() + _message(b'{"feature_vector": [1]}') + _message())

        assert [_read_answer(client)[0] for _ in range(3)] == [200, 422, 200]


def test_other_requests_may_use_the_same_connection(service: RunningService):
    """Invalid requests, other routes and longer bodies are answered correctly in between."""
    with _connect(service) as client:
        statuses = []
        for message in (
            _message(),
            _message(b"{"),
            _message(b"{}"),
            _message(path="/predictions", body=b'{"feature_vectors": [[1, 2]]}'),
            _message(BODY + b" " * 9000),
            _message(),
        ):
            client.sendall(message)
            statuses.append(_read_answer(client)[0])

        assert statuses == [200, 400, 422, 200, 200, 200]


def test_slow_sender_does_not_delay_others(service: RunningService):
    """Only a client that sends slowly has to wait, on a new connection and on an open one."""
    with _connect(service) as slow, _connect(service) as slow_later, _connect(service) as quick:
        for client in (slow_later, quick):
            client.sendall(_message())
            _read_answer(client)
        slow_later.sendall(_message()[:-5])
        for _ in range(50):
            quick.sendall(_message())
            assert _read_answer(quick)[0] == 200
        slow.sendall(_message()[:10])
        slow_later.sendall(_message()[-5:])
        assert _read_answer(slow_later)[0] == 200
        slow.sendall(_message()[10:])
        assert _read_answer(slow)[0] == 200


def test_connection_is_closed_on_request(service: RunningService):
    """The connection is closed after the answer, not before."""
    with _connect(service) as client:
        client.sendall(_message())
        _read_answer(client)
        client.sendall(_message(more="Connection: close\r\n"))

        assert _read_answer(client)[0] == 200
        assert client.recv(1) == b""
