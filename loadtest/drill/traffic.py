"""Send requests to a replica at a constant rate."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from loadtest.payloads import prediction_request, predictions_request
from loadtest.rows import Row

# Slow answers are part of the drill; longer than this counts as no answer.
_TIMEOUT_SECONDS = 30


class Request:
    """A POST request that is serialized in advance: serializing a large batch takes longer than answering it.

    Parameters
    ----------
    path
        The route's path.
    content
        The body, to be serialized as JSON.
    """

    def __init__(self, path: str, content: Any) -> None:
        self.path = path
        self.content = content
        self.body = json.dumps(content).encode()


def single(row: Row) -> Request:
    """Return a request for the label of one row."""
    return Request("/prediction", prediction_request(row, with_score=False))


def batch(rows: Sequence[Row], with_score: bool = False) -> Request:
    """Return a request for the labels of several rows."""
    return Request("/predictions", predictions_request(rows, with_score))


@contextmanager
def traffic(address: str, per_second: float, choose: Callable[[int], Request]) -> Iterator[None]:
    """Send requests while the block runs, one at a time.

    Parameters
    ----------
    address
        ``host:port`` of the replica.
    per_second
        Maximum rate.
    choose
        Returns the request with a number, counted from 0.
    """
    stop_requested = threading.Event()
    thread = threading.Thread(target=_send, args=(address, per_second, choose, stop_requested), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop_requested.set()
        thread.join()


def request_json(address: str, request: Request) -> dict[str, Any]:
    """Send one request and return the parsed JSON response."""
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    try:
        answer: dict[str, Any] = json.loads(_post(connection, request))
        return answer
    finally:
        connection.close()


def _send(address: str, per_second: float, choose: Callable[[int], Request], stop_requested: threading.Event) -> None:
    """Send until stopped; connection errors are expected while a replica is failing."""
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    next_at = time.monotonic()
    for number in count():
        # Do not catch up after a late answer.
        next_at = max(next_at + 1 / per_second, time.monotonic())
        if stop_requested.wait(next_at - time.monotonic()):
            break
        try:
            _post(connection, choose(number))
        except (OSError, http.client.HTTPException):
            connection.close()
    connection.close()


def _post(connection: http.client.HTTPConnection, request: Request) -> bytes:
    """Send a request and read the response, whatever its status."""
    connection.request("POST", request.path, request.body, {"Content-Type": "application/json"})
    return connection.getresponse().read()
