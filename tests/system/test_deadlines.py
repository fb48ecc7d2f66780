"""Deadlines and caps of a connection: whoever is too slow or sends too much is answered 4xx or cut off."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.system.raw_http import (
    PREDICTION,
    ROW,
    SECONDS,
    Answer,
    Connection,
    is_open_in_service,
    request,
    wait_for_close,
)
from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

# Short, so that tests are quick. The body's is long enough to tell it from the minimum rate, which is checked earlier.
HEAD_SECONDS, BODY_SECONDS, IDLE_SECONDS, WRITE_SECONDS = 1, 2, 2, 2

MAX_BODY, MAX_BATCH_BODY = 10_000, 20_000

MAX_CONNECTIONS = 12

# A deadline may be noticed late, by a worker that looks now and then, but never early.
TOLERANCE_SECONDS = 0.1

# At most this much of a request comes back in an error, besides the error's own words.
MAX_ECHO = 8192
OWN_WORDS = 1024

POST_ROUTES = ["/prediction", "/predictions", "/feedback", "/v2/models/isowatch/infer"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service with one worker and small limits."""
    settings = {
        "WEB_CONCURRENCY": 1,
        "HEAD_TIMEOUT": HEAD_SECONDS,
        "BODY_TIMEOUT": BODY_SECONDS,
        "KEEPALIVE": IDLE_SECONDS,
        "WRITE_TIMEOUT": WRITE_SECONDS,
        "MAX_BODY_BYTES": MAX_BODY,
        "MAX_BATCH_BODY_BYTES": MAX_BATCH_BODY,
        "MAX_CONNECTIONS": MAX_CONNECTIONS,
    }
    variables = {name: str(value) for name, value in settings.items()}
    with start_service(tmp_path_factory.mktemp("service"), credits_models, **variables) as running:
        running.session.close()
        yield running


def statuses(answers: list[Answer]) -> list[int]:
    """Return the statuses of answers."""
    return [answer.status for answer in answers]


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
@pytest.mark.parametrize("drop", [b"", b"X-Slow: 1\r\n"], ids=["stalled", "dripping"])
def test_slow_head_is_refused(service: RunningService, is_first: bool, drop: bytes):
    """However many lines the client sends meanwhile, with the first request of a connection and with a later one."""
    with Connection(service) as connection:
        if not is_first:
            assert connection.ask(PREDICTION).status == 200
        connection.send(b"POST /prediction HTTP/1.1\r\n")
        took = wait_for_close(connection, drop)
        answers = connection.read_to_end()

    assert statuses(answers) in ([], [408])
    assert took >= HEAD_SECONDS - TOLERANCE_SECONDS


def test_silent_connection_is_closed(service: RunningService):
    """A connection on which nothing is ever sent waits for its first head."""
    with Connection(service) as connection:
        took = wait_for_close(connection)
        answers = connection.read_to_end()

    assert statuses(answers) in ([], [408])
    assert took >= HEAD_SECONDS - TOLERANCE_SECONDS


def test_slow_bodies_are_refused(service: RunningService):
    """A body that arrives more slowly than the minimum rate, or not at all, is not waited for, on no route."""
    ways = (
        ("Content-Length: 5000", b" "),
        ("Transfer-Encoding: chunked", b"1\r\n \r\n"),
        ("Content-Length: 5000", b""),
    )
    with ExitStack() as stack:
        slow = [
            (f"{framing} with {drop!r} on {path}", stack.enter_context(Connection(service)), path, framing, drop)
            for path in POST_ROUTES
            for framing, drop in ways
        ]
        for _, connection, path, framing, _ in slow:
            connection.send(request("POST", path, None, framing))
        # All at once, because each takes seconds.
        started_at = time.monotonic()
        while any(not ended for ended in [connection.has_ended() for _, connection, *_ in slow]):
            assert time.monotonic() - started_at < SECONDS
            for _, connection, _, _, drop in slow:
                connection.send(drop)
            time.sleep(0.1)
        answers = {way: statuses(connection.read_to_end()) for way, connection, *_ in slow}

    assert {way: found for way, found in answers.items() if found not in ([], [408])} == {}


def test_body_at_a_fair_rate_is_answered(service: RunningService):
    """A body in pieces, above the minimum rate and within the time, is no attack."""
    body = json.dumps(ROW).encode() + b" " * 5000
    with Connection(service) as connection:
        connection.send(request("POST", "/prediction", None, f"Content-Length: {len(body)}"))
        for start in range(0, len(body), 1000):
            connection.send(body[start : start + 1000])
            time.sleep(0.1)
        answer = connection.read()

    assert answer is not None
    assert answer.status == 200


def test_idle_connection_is_closed(service: RunningService):
    """After an answer, for as long as the setting says and without an error."""
    with Connection(service) as connection:
        assert connection.ask(PREDICTION).status == 200
        took = wait_for_close(connection)
        answers = connection.read_to_end()

    assert answers == []
    assert took >= IDLE_SECONDS - TOLERANCE_SECONDS


@pytest.mark.parametrize("path", ["/docs/assets/swagger-ui-bundle.js", "/metrics"])
def test_client_that_reads_nothing_is_cut_off(service: RunningService, path: str):
    """Its answers do not fit into the kernel's buffers, so the service cannot send them; others are served."""
    with Connection(service, receive_buffer=2048) as deaf:
        # 3 MB or more.
        deaf.send(request("GET", path) * 20)
        for _ in range(10):
            with Connection(service) as other:
                assert other.ask(PREDICTION).status == 200
        wait_until(lambda: not is_open_in_service(service, deaf), "the connection to be cut off", service)


def test_slow_reader_gets_its_answer(service: RunningService):
    """A client that reads slowly, but never stops for long, gets everything, even if it takes longer than the limit."""
    with Connection(service, receive_buffer=65536) as connection:
        connection.send(request("GET", "/docs/assets/swagger-ui-bundle.js", None, "Connection: close"))
        time.sleep(0.75 * WRITE_SECONDS)
        (answer,) = connection.read_to_end()

    assert answer.status == 200
    assert len(answer.body) == int(answer.headers["content-length"])


@pytest.mark.parametrize("path", POST_ROUTES)
def test_declared_length_over_the_limit_is_refused_unread(service: RunningService, path: str):
    """The answer comes before the body, also if the client waits for leave to send it; the connection is closed."""
    for more in ([], ["Expect: 100-continue"]):
        with Connection(service) as connection:
            connection.send(request("POST", path, None, "Content-Length: 100000000", *more))
            answers = connection.read_to_end()

        assert statuses(answers) == [413], more
        assert str(MAX_BODY if path == "/prediction" else MAX_BATCH_BODY) in answers[0].body.decode()


@pytest.mark.parametrize("path", POST_ROUTES)
def test_chunked_body_over_the_limit_is_refused_before_it_ends(service: RunningService, path: str):
    """It is counted while it arrives."""
    limit = MAX_BODY if path == "/prediction" else MAX_BATCH_BODY
    piece = b"400\r\n" + b" " * 1024 + b"\r\n"
    with Connection(service) as connection:
        connection.send(request("POST", path, None, "Transfer-Encoding: chunked"))
        connection.send(piece * (limit // 1024 + 1))
        answers = connection.read_to_end()

    assert statuses(answers) == [413]
    assert str(limit) in answers[0].body.decode()


def test_refused_body_is_never_read_as_a_request(service: RunningService):
    """What follows the head of a refused request is dropped."""
    hidden = request("GET", "/healthz", None, "X-Request-ID: hidden")
    with Connection(service) as connection:
        connection.send(request("POST", "/prediction", None, "Content-Length: 100000000") + hidden * 10)
        answers = connection.read_to_end()

    assert statuses(answers) == [413]
    assert answers[0].request_id != "hidden"


@pytest.mark.parametrize(
    "message",
    [
        request("GET", "/" + "x" * 8000),
        request("GET", "/" + "%00" * 2600),
        request("GET", "/quality?window=" + "9" * 8000),
        request("POST", "/prediction", b"{}", "X-Request-ID: " + "i" * 8000),
        request("POST", "/prediction", b"{}", "Content-Encoding: " + "i" * 8000),
        request("POST", "/prediction", json.dumps({"feature_vector": ["x" * 9000, 1]}).encode()),
        request("POST", "/prediction", json.dumps({"x" * 9000: 1}).encode()),
        request("POST", "/prediction", json.dumps(ROW | {"segment": "x" * 9000}).encode()),
        request("POST", "/predictions", json.dumps({"feature_vectors": [["x" * 18_000, 1]]}).encode()),
        request("POST", "/feedback", json.dumps([{"request_id": "x" * 18_000, "is_inlier": 7}]).encode()),
        request("POST", "/v2/models/isowatch/infer", json.dumps({"inputs": [{"name": "x" * 18_000}]}).encode()),
        request("POST", "/v2/models/" + "m" * 8000 + "/infer", b"{}"),
    ],
    ids=lambda message: message.split(b"\r\n")[0][:30].decode(),
)
def test_error_repeats_little_of_the_request(service: RunningService, message: bytes):
    """Otherwise a small request could be answered with a large error, and logs and terminals would fill."""
    with Connection(service) as connection:
        answer = connection.ask(message)

    assert 400 <= answer.status < 500
    assert len(answer.body) <= MAX_ECHO + OWN_WORDS
    assert sum(map(len, answer.headers.values())) <= MAX_ECHO


@pytest.mark.parametrize("start", [PREDICTION, b"POST /prediction HTTP/1.1\r\nHost: a\r\n"], ids=["idle", "incomplete"])
def test_oldest_waiting_connection_gives_way_to_a_new_one(service: RunningService, start: bytes):
    """At the limit a new client is served, and of those that wait only the oldest is closed."""
    with ExitStack() as stack:
        waiting = []
        for _ in range(MAX_CONNECTIONS):
            waiting.append(connection := stack.enter_context(Connection(service)))
            connection.send(start)
            if start is PREDICTION:
                assert connection.read() is not None
        newest = stack.enter_context(Connection(service))
        assert newest.ask(PREDICTION).status == 200
        wait_for_close(waiting[0])
        still_open = [is_open_in_service(service, connection) for connection in waiting]

    assert still_open == [False] + [True] * (MAX_CONNECTIONS - 1)
