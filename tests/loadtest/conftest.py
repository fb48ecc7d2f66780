"""A real HTTP server that answers like the service, counts requests, and returns wrong answers on demand."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

Answer = tuple[int, dict[str, Any]]
Change = Callable[[Answer], Answer]


def correct_answer(body: bytes) -> Answer:
    """Answer as the API contract says; an invalid request gets a bare 422."""
    try:
        request = json.loads(body)
        with_score = request["score"]
    except (ValueError, KeyError, TypeError):
        return 422, {}
    answer: dict[str, Any] = {"is_inlier": 1}
    if with_score:
        answer["anomaly_score"] = -0.43
    return 200, answer


class FakeService(ThreadingHTTPServer):
    """Answer the two routes that the load test uses, and store every request."""

    def __init__(self, change_prediction: Change | None, change_model: Change | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.change_prediction = change_prediction
        self.change_model = change_model
        self.lock = threading.Lock()
        self.predictions: list[dict[str, Any]] = []
        # The same requests by client port: each user keeps its connection.
        self.predictions_by_port: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
        self.model_information_requests = 0

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    """One connection to the fake service."""

    server: FakeService
    protocol_version = "HTTP/1.1"
    # Without these two, every answer would wait 40 ms for the acknowledgement of its own first half.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/prediction":
            self._send((404, {}))
            return
        answer = correct_answer(body)
        if answer[0] == 200:
            request = json.loads(body)
            with self.server.lock:
                self.server.predictions.append(request)
                self.server.predictions_by_port[self.client_address[1]].append(request)
        change = self.server.change_prediction
        self._send(change(answer) if change else answer)

    def do_GET(self) -> None:
        if self.path != "/model_information":
            self._send((404, {}))
            return
        with self.server.lock:
            self.server.model_information_requests += 1
        answer: Answer = 200, {"n_estimators": 100, "model": {"version": "20260131T120000Z-0123abcd"}}
        change = self.server.change_model
        self._send(change(answer) if change else answer)

    def _send(self, answer: Answer) -> None:
        """Send a JSON response."""
        status, content = answer
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it so.
        """Log nothing: requests are counted instead."""


@contextmanager
def running(service: FakeService) -> Iterator[FakeService]:
    """Run the service while the block runs."""
    thread = threading.Thread(target=service.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        thread.join()
        service.server_close()


@pytest.fixture
def start_service() -> Iterator[Callable[..., FakeService]]:
    """Return a function that starts fake services, which are stopped after the test."""
    with ExitStack() as stack:

        def start(change_prediction: Change | None = None, change_model: Change | None = None) -> FakeService:
            return stack.enter_context(running(FakeService(change_prediction, change_model)))

        yield start
