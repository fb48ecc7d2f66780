"""Load on a service with a recorder, and the rows that it records."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.system.running_service import RunningService, start_service, wait_until

ROW = [0.56, 0.23]

# Rows in the largest request.
MAX_ROWS = 50


class Load:
    """Send requests to every route on several connections while the block runs.

    A pause after each answer leaves CPU time for other processes.
    """

    def __init__(self, service: RunningService, pause_seconds: float = 0.0) -> None:
        self._service, self._pause_seconds = service, pause_seconds
        self.rows = self.requests = 0
        self.failed: list[str] = []
        self._counting, self._stopping = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(4)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        choose = random.Random(number)
        with requests.Session() as session:
            session.trust_env = False
            while not self._stopping.wait(self._pause_seconds):
                path, body, rows = choose.choice(_requests_by_route(self._service))
                try:
                    answer = session.post(self._service.address + path, json=body, timeout=30)
                    problem = "" if answer.ok else answer.text
                except requests.RequestException as error:
                    problem = str(error)
                with self._counting:
                    self.requests += 1
                    self.rows += 0 if problem else rows
                    if problem:
                        self.failed.append(problem)


def _requests_by_route(service: RunningService) -> list[tuple[str, dict[str, Any], int]]:
    """Return requests to every route that scores rows, with and without the fast path."""
    tensor = {"name": "rows", "shape": [2, 2], "datatype": "FP32", "data": [*ROW, *ROW]}
    return [
        ("/prediction", {"feature_vector": ROW}, 1),
        ("/prediction?through=flask", {"feature_vector": ROW, "score": True}, 1),
        ("/predictions", {"feature_vectors": [ROW] * MAX_ROWS}, MAX_ROWS),
        ("/v2/models/isowatch/infer", {"inputs": [tensor]}, 2),
    ]


def count_rows(service: RunningService, result: str) -> float:
    """Return the number of rows with a result."""
    return service.metric("recorder_rows_total", result=result)


def wait_for_recorder(service: RunningService) -> None:
    """Wait until the recorder and both workers are running."""
    wait_until(
        lambda: service.metric("app_workers") == 2 and service.metric("recorder_up") == 1, "the recorder", service
    )


def wait_until_recorded(service: RunningService) -> None:
    """Wait until all sent rows are recorded."""
    wait_until(
        lambda: count_rows(service, "recorded") == count_rows(service, "sent"), "all sent rows to be recorded", service
    )


@contextmanager
def start_service_with_recorder(folder: Path, models: Path, **environment: str) -> Iterator[RunningService]:
    """Start a service with two workers and its recorder."""
    with start_service(folder, models, **environment) as service:
        wait_for_recorder(service)
        yield service
