"""The rules of HTTP/1.1 (RFC 9110, RFC 9112) that clients rely on, in the event loop and in Flask's threads."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.raw_http import PREDICTION, ROW, Connection, port_of, request
from tests.system.running_service import RunningService, start_service

pytestmark = pytest.mark.system

BODY = json.dumps(ROW).encode()

# Routes that take a row: one is answered in the event loop, the others by Flask.
POSTS = [
    ("/prediction", BODY),
    ("/predictions", json.dumps({"feature_vectors": [ROW["feature_vector"]]}).encode()),
]

GETS = ["/healthz", "/readyz", "/model_information", "/metrics", "/openapi.json"]


@pytest.fixture(scope="module", params=["python", "fast"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, credits_models: Path
) -> Iterator[RunningService]:
    """A service with one worker, under each of Gunicorn's parsers."""
    folder = tmp_path_factory.mktemp("service")
    parser = ("--http-parser", request.param)
    with start_service(folder, credits_models, *parser, WEB_CONCURRENCY="1", BODY_TIMEOUT="2") as running:
        running.session.close()
        yield running


@pytest.mark.parametrize(("path", "body"), POSTS)
def test_client_that_expects_leave_gets_it(service: RunningService, path: str, body: bytes):
    """With `Expect: 100-continue` the service answers 100 first; a client that does not wait needs no 100."""
    head = request("POST", path, None, f"Content-Length: {len(body)}", "Expect: 100-continue")
    with Connection(service) as connection:
        assert connection.ask(head).status == 100
        assert connection.ask(body).status == 200
        connection.send(head + body)
        answer = connection.read()
        if answer is not None and answer.status == 100:
            answer = connection.read()

    assert answer is not None
    assert answer.status == 200


def test_half_closed_connection_gets_its_answers(service: RunningService):
    """A client may close its sending half after its requests, as `nc -N` does."""
    for message in [request("POST", path, body) for path, body in POSTS] + [request("GET", path) for path in GETS]:
        with Connection(service) as connection:
            connection.send(message)
            connection.finish_sending()
            assert [answer.status for answer in connection.read_to_end()] == [200], message
    with Connection(service) as connection:
        connection.send(PREDICTION + request("GET", "/model_information") + PREDICTION)
        connection.finish_sending()
        assert [answer.status for answer in connection.read_to_end()] == [200] * 3


@pytest.mark.parametrize(
    "message", [b"POST /prediction HTTP/1.1\r\nHost: a\r\n", PREDICTION[:-5]], ids=["within head", "within body"]
)
def test_incomplete_request_of_a_half_closed_connection_is_refused(service: RunningService, message: bytes):
    """It can never be completed, so it is refused or dropped at once, and never answered as if it were complete."""
    with Connection(service) as connection:
        connection.send(message)
        connection.finish_sending()
        answers = connection.read_to_end()

    assert [answer.status for answer in answers] in ([], [400], [408])


@pytest.mark.parametrize("path", GETS)
def test_head_has_the_headers_of_get_and_no_body(service: RunningService, path: str):
    """The connection stays usable, so no byte of a body was sent."""
    with Connection(service) as connection:
        got = connection.ask(request("GET", path), "GET")
        headed = connection.ask(request("HEAD", path), "HEAD")
        after = connection.ask(PREDICTION)

    assert (headed.status, after.status) == (200, 200)
    assert headed.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize("path", [*GETS, "/prediction", "/predictions", "/feedback"])
def test_options_name_the_methods(service: RunningService, path: str):
    """Also where other methods are answered in the event loop."""
    with Connection(service) as connection:
        answer = connection.ask(request("OPTIONS", path), "OPTIONS")

    assert answer.status in (200, 204)
    assert ("POST" if path in ("/prediction", "/predictions", "/feedback") else "GET") in answer.headers["allow"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "BREW"])
def test_wrong_method_is_refused(service: RunningService, method: str):
    """With the methods that are right, and the connection stays usable."""
    with Connection(service) as connection:
        answer = connection.ask(request(method, "/prediction", b""))
        assert connection.ask(PREDICTION).status == 200

    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


@pytest.mark.parametrize(("path", "body"), [*POSTS, ("/healthz", None), ("/model_information", None)])
def test_http_1_0_closes_unless_asked_to_keep(service: RunningService, path: str, body: bytes | None):
    """HTTP/1.0 has no chunks; with `Connection: keep-alive` the connection stays open, as for `ab -k`."""
    method = "GET" if body is None else "POST"
    with Connection(service) as connection:
        connection.send(request(method, path, body, version="HTTP/1.0"))
        (answer,) = connection.read_to_end()
        assert answer.status == 200
        assert "transfer-encoding" not in answer.headers
    with Connection(service) as connection:
        for _ in range(2):
            kept = connection.ask(request(method, path, body, "Connection: keep-alive", version="HTTP/1.0"))
            assert kept.status == 200
            assert kept.headers["connection"].lower() == "keep-alive"


@pytest.mark.parametrize(("path", "body"), [*POSTS, ("/healthz", None), ("/model_information", None)])
def test_connection_is_closed_on_request(service: RunningService, path: str, body: bytes | None):
    """After the answer, which says so."""
    with Connection(service) as connection:
        connection.send(request("GET" if body is None else "POST", path, body, "Connection: close"))
        (answer,) = connection.read_to_end()

    assert answer.status == 200
    assert answer.headers["connection"].lower() == "close"


def test_bytes_after_the_last_request_reset_no_connection(service: RunningService):
    """Some clients send an empty line after a body; a reset could make them lose the answer."""
    with socket.create_connection(("127.0.0.1", port_of(service)), 30) as client:
        client.sendall(request("GET", "/metrics", None, "Connection: close"))
        time.sleep(0.002)
        client.sendall(b"\r\n")
        answer = b""
        while part := client.recv(65536):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200")


def test_large_request_that_arrives_during_an_answer_is_answered(service: RunningService):
    """It is not read before the first answer is complete, as Gunicorn would keep only the beginning of it."""
    rows = json.dumps({"feature_vectors": [[0.56, 0.23]] * 9_000}).encode()
    with Connection(service) as connection:
        for _ in range(5):
            connection.send(request("GET", "/metrics"))
            time.sleep(0.002)  # so that both do not arrive at once; the answer takes longer
            connection.send(request("POST", "/predictions", rows))
            answers = [connection.read("GET"), connection.read()]
            assert [answer and answer.status for answer in answers] == [200, 200]


def test_pipelined_requests_are_answered_in_order(service: RunningService):
    """However requests of the event loop and of Flask follow each other; each answer has the id of its request."""
    kinds = [
        ("POST", "/prediction", BODY),
        ("GET", "/model_information", None),
        ("POST", "/prediction", b"{"),
        ("GET", "/healthz", None),
        ("POST", "/predictions", POSTS[1][1]),
        ("GET", "/nowhere", None),
    ]
    # Every pair of kinds follows each other.
    order = [kind for pair in itertools.product(kinds, repeat=2) for kind in pair]
    sent = [
        request(method, path, body, f"X-Request-ID: id-{number}") for number, (method, path, body) in enumerate(order)
    ]
    with Connection(service) as connection:
        connection.send(b"".join(sent))
        connection.finish_sending()
        answers = connection.read_to_end()

    assert [answer.request_id for answer in answers] == [f"id-{number}" for number in range(len(order))]
    expected = {b"{": 400, None: 200}
    assert [answer.status for answer in answers] == [
        404 if path == "/nowhere" else expected.get(body, 200) for _, path, body in order
    ]


def test_requests_may_arrive_in_any_pieces(service: RunningService):
    """One byte at a time, and cut at every place of a pipeline."""
    messages = PREDICTION + request("GET", "/healthz") + PREDICTION
    for cut in range(1, len(messages), 7):
        with Connection(service) as connection:
            connection.send(messages[:cut])
            connection.send(messages[cut:])
            assert [connection.read().status for _ in range(3)] == [200] * 3
    with Connection(service) as connection:
        for byte in messages:
            connection.send(bytes([byte]))
        assert [connection.read().status for _ in range(3)] == [200] * 3


def test_chunked_bodies_are_answered(service: RunningService):
    """In one chunk and in many, followed by another request."""
    for path, body in POSTS:
        many = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        one = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        with Connection(service) as connection:
            for chunks in (one, many, one):
                answer = connection.ask(request("POST", path, None, "Transfer-Encoding: chunked") + chunks)
                assert answer.status == 200, (path, answer.body)
            assert connection.ask(PREDICTION).status == 200
