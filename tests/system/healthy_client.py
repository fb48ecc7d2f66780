"""A client that asks all the while and notes every request that failed."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from contextlib import closing
from types import TracebackType

from tests.system.raw_http import ROW, port_of
from tests.system.running_service import RunningService

# The longest that a healthy client waits for an answer during an attack: what issue 14 promises.
LIMIT_SECONDS = 1.0

# Pause between two requests of a way to ask: the client must not be a load of its own.
PAUSE_SECONDS = 0.02

# What is asked, each on a connection that stays open and on a new one for every request: the route that is answered in
# the event loop, a probe, and a route of Flask.
ASKED = (("POST", "/prediction"), ("GET", "/healthz"), ("GET", "/model_information"))


class HealthyClient:
    """Asks from several threads while the block runs.

    Parameters
    ----------
    service
        The service.
    """

    def __init__(self, service: RunningService) -> None:
        self._port = port_of(service)
        self._ended = threading.Event()
        self._started_at = time.monotonic()
        self.answered: Counter[str] = Counter()
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._ask_repeatedly, args=(method, path, is_kept))
            for method, path in ASKED
            for is_kept in (True, False)
        ]

    def __enter__(self) -> HealthyClient:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask_repeatedly(self, method: str, path: str, is_kept: bool) -> None:
        """Ask for the same again and again, on one connection or on a new one each time."""
        way = f"{method} {path} on a {'kept' if is_kept else 'new'} connection"
        connection = self._connect()
        while not self._ended.wait(PAUSE_SECONDS):
            started_at = time.monotonic()
            if not is_kept:
                connection.close()
            try:
                self._ask(connection, method, path)
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self._fail(way, started_at, repr(error))
                connection.close()
            else:
                self.answered[way] += 1
                if time.monotonic() - started_at > LIMIT_SECONDS:
                    self._fail(way, started_at, "answered too late")
        connection.close()

    def _fail(self, way: str, asked_at: float, reason: str) -> None:
        """Record a failure, with its time since the client began."""
        now = time.monotonic()
        self.failures.append(f"{asked_at - self._started_at:.1f} s: {way}, {reason} after {now - asked_at:.2f} s")

    def _connect(self) -> http.client.HTTPConnection:
        """Prepare a connection, which opens by itself with the next request."""
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_SECONDS)

    @staticmethod
    def _ask(connection: http.client.HTTPConnection, method: str, path: str) -> None:
        """Send one request and check its answer."""
        body = json.dumps(ROW) if method == "POST" else None
        connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
        with closing(connection.getresponse()) as answer:
            content = answer.read()
            assert answer.status == 200, f"{answer.status} {content[:200]!r}"
