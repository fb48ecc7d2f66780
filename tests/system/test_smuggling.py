"""No request hides in another: whatever parsers may read in two ways is refused, and its connection closed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.system.raw_http import PREDICTION, Answer, Connection
from tests.system.running_service import RunningService, start_service
from tests.system.smuggling import HIDDEN_ID, REFUSED, UNDERSTOOD, Attack

pytestmark = pytest.mark.system

ROUTES = ["POST /prediction", "POST /predictions", "POST /feedback", "GET /model_information"]

# With the first request of a connection, with one after an answer, and right behind a request in the same packet.
PLACES = ["first", "later", "pipelined"]


@pytest.fixture(scope="module", params=["python", "fast"])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, credits_models: Path
) -> Iterator[RunningService]:
    """A service with one worker, under each of Gunicorn's parsers, that waits for nothing for long."""
    folder = tmp_path_factory.mktemp("service")
    parser = ("--http-parser", request.param)
    short = {"WEB_CONCURRENCY": "1", "HEAD_TIMEOUT": "1", "BODY_TIMEOUT": "1", "KEEPALIVE": "1"}
    with start_service(folder, credits_models, *parser, **short) as running:
        running.session.close()
        yield running


def answers_to(
    service: RunningService, attack: Attack, route: str, place: str, must_close: bool = True
) -> list[Answer]:
    """Send an attack and read until the service closes; return the answers without that to the request before it."""
    with Connection(service) as connection:
        if place == "later":
            assert connection.ask(PREDICTION).status == 200
        connection.send((PREDICTION if place == "pipelined" else b"") + attack(route))
        # The service has to close by itself, unless there is nothing to refuse.
        if not must_close:
            connection.finish_sending()
        answers = connection.read_to_end()
    if place == "pipelined":
        assert answers, "the request before the attack was not answered"
        assert answers.pop(0).status == 200
    return answers


def is_refusal(answer: Answer) -> bool:
    """Return whether a request was refused: as the client's fault, or as something that is not implemented."""
    return 400 <= answer.status < 500 or answer.status in (501, 505)


@pytest.mark.parametrize("name", REFUSED)
def test_ambiguous_request_is_refused_and_closed(service: RunningService, name: str):
    """On every route and at every place in a connection, with one answer and none to a hidden request."""
    tries = list(itertools.product(ROUTES, PLACES))
    # All at once, because a parser may wait for a body until its deadline.
    with ThreadPoolExecutor(len(tries)) as threads:
        found = threads.map(lambda attempt: answers_to(service, REFUSED[name], *attempt), tries)
        wrong = {
            attempt: [(answer.status, answer.request_id) for answer in answers]
            for attempt, answers in zip(tries, found, strict=True)
            if len(answers) != 1 or not is_refusal(answers[0]) or answers[0].request_id == HIDDEN_ID
        }

    assert wrong == {}


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_understood_request_ends_where_it_says(service: RunningService, name: str):
    """It is answered or refused, and what follows is answered as a request of its own or not at all."""
    for route in ROUTES:
        for place in PLACES:
            answers = answers_to(service, UNDERSTOOD[name], route, place, must_close=False)

            assert 1 <= len(answers) <= 2, (route, place)
            assert answers[0].request_id != HIDDEN_ID
            assert [answer.request_id for answer in answers[1:]] in ([], [HIDDEN_ID])
            assert all(answer.status < 500 for answer in answers)
