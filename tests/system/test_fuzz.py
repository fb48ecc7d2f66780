"""Whatever clients send, nothing breaks: client faults are 4xx, answers come in order, workers live."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.system.fuzzed_requests import fuzz
from tests.system.raw_http import PREDICTION, Connection, request
from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

# Any fixed number: two runs send the same requests.
SEED = 14

# Connections, each with two requests on average: 3,000 requests, and 100,000 with --long.
CONNECTIONS, CONNECTIONS_IN_FULL = 1_500, 50_000

# Connections at a time: enough to keep two workers busy.
CLIENTS = 8

# Not a server's mistake: a method, transfer coding or version that HTTP servers need not know.
PERMITTED = {501, 505}

POST_ROUTES = ["/prediction", "/predictions", "/feedback", "/v2/models/isowatch/infer", "/v2/repository/index"]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service with two workers; waiting requests end soon."""
    short = {"HEAD_TIMEOUT": "1", "BODY_TIMEOUT": "1", "KEEPALIVE": "2", "LOG_REQUESTS": "false"}
    with start_service(tmp_path_factory.mktemp("service"), credits_models, **short) as running:
        wait_until(lambda: running.metric("app_workers") == 2, "two workers", running)
        # Until every worker has a drift report and the database, 503 is the right answer.
        wait_until(lambda: answers_everywhere(running), "answers about drift and quality", running)
        running.session.close()
        yield running


def answers_everywhere(service: RunningService) -> bool:
    """Return whether all of many new connections are answered with 200, so that every worker gets some."""
    urls = [service.address + path for path in ("/drift", "/quality")] * 10
    return all(requests.get(url, timeout=30).status_code == 200 for url in urls)


@pytest.fixture
def new_log(service: RunningService) -> Callable[[], str]:
    """Return a function that returns what was logged since the test began."""
    before = len(service.log())
    return lambda: service.log()[before:]


def send_fuzzed(service: RunningService, number: int) -> tuple[list[int], list[str]]:
    """Send the requests of one connection; return the statuses of the answers, and what is wrong with them."""
    fuzzed = fuzz(number, SEED)
    length = max(1, -(-len(fuzzed.data) // fuzzed.pieces))
    with Connection(service) as connection:
        for start in range(0, len(fuzzed.data), length):
            connection.send(fuzzed.data[start : start + length])
        connection.finish_sending()
        try:
            # The method decides only whether a body follows; a damaged request may have become a HEAD.
            answers = connection.read_to_end("HEAD" if b"HEAD " in fuzzed.data else "POST")
        except (AssertionError, ValueError) as error:
            return [], [] if b"HEAD " in fuzzed.data else [f"{number}: {error}: {fuzzed.data!r}"]
    statuses = [answer.status for answer in answers]
    wrong = [f"{number}: {statuses} for {fuzzed.data!r}"] * any(s >= 500 and s not in PERMITTED for s in statuses)
    # Answers without such an id are to requests whose head was damaged.
    answered = [answer.request_id for answer in answers if answer.request_id in fuzzed.ids]
    if answered != sorted(set(answered), key=fuzzed.ids.index):
        wrong.append(f"{number}: answers to {answered} for {fuzzed.data!r}")
    # Ids of ours have a hyphen, those that the service makes have none; damage may have changed one.
    strange = [answer.request_id for answer in answers if "-" in answer.request_id]
    if strange := [identifier for identifier in strange if identifier.encode() not in fuzzed.data]:
        wrong.append(f"{number}: answers to {strange}")
    return statuses, wrong


def test_fuzzed_requests_break_nothing(service: RunningService, new_log: Callable[[], str], is_long: bool):
    """No 5xx, no answer out of place, no worker that ends, no connection left open, and no traceback in the log."""
    workers = service.workers()
    with ThreadPoolExecutor(CLIENTS) as clients:
        numbers = range(CONNECTIONS_IN_FULL if is_long else CONNECTIONS)
        results = list(clients.map(lambda number: send_fuzzed(service, number), numbers))
    counts = Counter(status for statuses, _ in results for status in statuses)
    # Visible with -s.
    print(f"{len(results)} connections, answers by status: {dict(sorted(counts.items()))}")

    assert [wrong for _, every in results for wrong in every][:5] == []
    # The requests are not all refused at once, and the refusals are of several kinds.
    assert counts[200] > len(results) / 5
    assert {400, 404, 405, 422} <= set(counts)
    assert service.workers() == workers
    assert "Traceback" not in new_log()
    with Connection(service) as connection:
        assert connection.ask(PREDICTION).status == 200


@pytest.mark.parametrize("path", POST_ROUTES)
@pytest.mark.parametrize(
    "chunks",
    [b"xyz\r\n", b"5\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n", b"-1\r\n", b"5\r\n{}", b"2\r\n{}\r\n"],
    ids=["no size", "too short", "no end", "negative", "cut off in a chunk", "cut off between chunks"],
)
def test_broken_chunks_are_the_clients_fault(
    service: RunningService, path: str, chunks: bytes, new_log: Callable[[], str]
):
    """They are refused with 4xx on every route; a body that was cut off may also get no answer."""
    with Connection(service) as connection:
        connection.send(request("POST", path, None, "Transfer-Encoding: chunked") + chunks)
        connection.finish_sending()
        answers = connection.read_to_end()

    assert len(answers) == 1 or (not answers and chunks in (b"5\r\n{}", b"2\r\n{}\r\n"))
    assert all(400 <= answer.status < 500 for answer in answers)
    assert "Traceback" not in new_log()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (request("GET", "/healthz", None, "SCRIPT_NAME: /x"), {200, 400}),
        (request("GET", "/model_information", None, "SCRIPT_NAME: /x"), {200, 400}),
        (request("GET", "/model_information", None, "Script-Name: /x"), {200, 400}),
        (request("GET", "/metrics", None, "Accept: application/openmetrics-text; version=abc"), {200, 406}),
        (request("GET", "/metrics", None, "Accept: application/openmetrics-text; version="), {200, 406}),
        (request("GET", "/metrics", None, "Accept: \xff;q=x"), {200, 406}),
        *((request("GET", f"/{odd}"), {404, 400}) for odd in ("%", "%zz", "%00", "%ff%fe", "%c0%af", "%0d%0aX-A:%20b")),
        (request("GET", "/predictions/%ff"), {400, 404, 422}),
        (request("GET", "/predictions/%00"), {400, 404, 422}),
        (request("GET", "/quality?window=%ff"), {400, 422}),
        (request("GET", "/quality?%ff=%00"), {200, 400, 422}),
        (request("POST", "/prediction", b'{"feature_vector": "\xff"}'), {400}),
        (request("POST", "/predictions", b"\xff\xfe[\x00"), {400}),
        (request("POST", "/prediction", b"\xef\xbb\xbf{}"), {400, 422}),
        (request("POST", "/prediction", b'{"feature_vector": "\\ud800"}'), {400, 422}),
        (request("POST", "/prediction", b"[" * 100_000), {400}),
        (request("POST", "/v2/models/%ff/infer", b"{}"), {400, 404}),
        (request("POST", "/v2/models/isowatch/infer", b"{}", "Inference-Header-Content-Length: abc"), {400, 422}),
    ],
    ids=lambda value: repr(value)[:70] if isinstance(value, bytes) else "-",
)
def test_odd_request_is_answered(
    service: RunningService, message: bytes, expected: set[int], new_log: Callable[[], str]
):
    """With the client's fault, or as if the odd part were not there; never with 500."""
    with Connection(service) as connection:
        assert connection.ask(message).status in expected
    assert "Traceback" not in new_log()


def test_path_outside_the_prefix_is_not_found(tmp_path: Path, credits_models: Path):
    """Below `SCRIPT_NAME` everything is served, beside it nothing, and neither is an error."""
    with start_service(tmp_path, credits_models, until="/scores/readyz", SCRIPT_NAME="/scores") as service:
        for path, status in (("/scores/healthz", 200), ("/scores/model_information", 200), ("/model_information", 404)):
            for _ in range(2):
                assert service.get(path).status_code == status, path
        for path in ("/", "/prediction", "/scoresheet", "/healthz"):
            assert service.get(path).status_code in (200, 404, 405), path
        with Connection(service) as connection:
            body = b'{"feature_vector": [0.56, 0.23]}'
            assert connection.ask(request("POST", "/scores/prediction", body)).status == 200
            assert connection.ask(request("POST", "/prediction", body)).status == 404
        assert "Traceback" not in service.log()
