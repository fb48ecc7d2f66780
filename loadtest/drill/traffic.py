"""Requests at an even rate, from threads of the drill, to one replica."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from loadtest.payloads import Row, prediction_request, predictions_request

# A slow answer is part of the drill; one that takes so long is none.
_ANSWER_SECONDS = 30


class Body:
    """A request that was put together before it is sent: a large batch takes longer to write than to answer.

    Parameters
    ----------
    path
        Of the route.
    content
        What becomes JSON.
    """

    def __init__(self, path: str, content: Any) -> None:
        self.path = path
        self.body = json.dumps(content).encode()


def single(row: Row) -> Body:
    """Ask for the label of one row."""
    return Body("/prediction", prediction_request(row, ask_score=False))


def batch(rows: Sequence[Row], ask_score: bool = False) -> Body:
    """Ask for the labels of many rows."""
    return Body("/predictions", predictions_request(rows, ask_score))


@contextmanager
def traffic(address: str, per_second: float, choose: Callable[[int], Body]) -> Iterator[None]:
    """Send requests while the block runs, one after the other.

    Parameters
    ----------
    address
        ``host:port`` of the replica.
    per_second
        How many at most.
    choose
        Gives the request with a number, counted from 0.
    """
    end_wanted = threading.Event()
    thread = threading.Thread(target=_send, args=(address, per_second, choose, end_wanted), daemon=True)
    thread.start()
    try:
        yield
    finally:
        end_wanted.set()
        thread.join()


def ask(address: str, body: Body) -> dict[str, Any]:
    """Send one request and give the answer's JSON."""
    connection = http.client.HTTPConnection(address, timeout=_ANSWER_SECONDS)
    try:
        answer: dict[str, Any] = json.loads(_post(connection, body))
        return answer
    finally:
        connection.close()


def _send(address: str, per_second: float, choose: Callable[[int], Body], end_wanted: threading.Event) -> None:
    """Send until the end is wanted; a replica that is ill may refuse a connection."""
    connection = http.client.HTTPConnection(address, timeout=_ANSWER_SECONDS)
    next_at = time.monotonic()
    for number in count():
        # After an answer that was late there is no hurry: what was not sent meanwhile is left out.
        next_at = max(next_at + 1 / per_second, time.monotonic())
        if end_wanted.wait(next_at - time.monotonic()):
            break
        try:
            _post(connection, choose(number))
        except (OSError, http.client.HTTPException):
            connection.close()
    connection.close()


def _post(connection: http.client.HTTPConnection, body: Body) -> bytes:
    """Send a request and read its answer, whatever its status."""
    connection.request("POST", body.path, body.body, {"Content-Type": "application/json"})
    return connection.getresponse().read()
