"""Everything changes under load: models, workers, configuration, the end; only requests in a killed worker fail."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest

from tests.system.model_versions import break_copy, point_to, two_versions
from tests.system.raw_http import ROW, Answer, Connection, NotClosed, request
from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

WORKERS = 2

# Clients without a pause: enough that every worker has a request when it is killed.
CLIENTS = 4

# By default, and with --long: answered requests, swaps, broken bundles, seconds between two kills.
SHORT, FULL = (1_500, 6, 2, 3.0), (100_000, 50, 10, 5.0)

# Workers write their counts several times a second, so a killed one takes at most those of its last second with it.
HIDDEN_SECONDS = 1.0

# A request fails while its worker is being killed, and the client sees it a little later.
KILL_SECONDS = 2.0

REFUSED = "refused a model bundle"

PREDICTION = request("POST", "/prediction", json.dumps(ROW).encode(), "Connection: close")


class Clients:
    """Clients that send predictions without a pause, each on a new connection, until the service refuses them.

    Parameters
    ----------
    service
        The service.
    """

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self.sent = 0
        self.by_second: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()
        # When and how requests failed.
        self.failures: list[tuple[float, str]] = []
        self._threads = [threading.Thread(target=self._send_repeatedly) for _ in range(CLIENTS)]

    @property
    def answered(self) -> int:
        """Number of requests that were answered with 200."""
        return self.by_second.total()

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End after the requests in progress."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _send_repeatedly(self) -> None:
        while not self._ended.is_set():
            try:
                answer = self._send()
            except ConnectionRefusedError as error:  # nothing was sent
                self.failures.append((time.monotonic(), repr(error)))
                time.sleep(0.1)
            except (OSError, AssertionError, NotClosed) as error:
                with self._lock:
                    self.sent += 1
                self.failures.append((time.monotonic(), repr(error)))
            else:
                with self._lock:
                    self.sent += 1
                    self.by_second[int(time.monotonic())] += answer.status == 200
                    self.versions[answer.headers.get("x-model-version", "none")] += 1
                if answer.status != 200:
                    self.failures.append((time.monotonic(), f"{answer.status} {answer.body[:200]!r}"))

    def _send(self) -> Answer:
        with Connection(self._service) as connection:
            return connection.ask(PREDICTION)


class Killer(threading.Thread):
    """Kills a random worker now and then.

    Parameters
    ----------
    service
        The service.
    pause
        Seconds between two kills.
    """

    def __init__(self, service: RunningService, pause: float) -> None:
        super().__init__()
        self._service, self._pause = service, pause
        self.ended = threading.Event()
        self.killed_at: list[float] = []
        self._random = random.Random(14)

    def run(self) -> None:
        """Kill until told to end."""
        while not self.ended.wait(self._pause):
            with suppress(ProcessLookupError, IndexError):  # it has ended by itself, or all are being replaced
                os.kill(self._random.choice(self._service.workers()), signal.SIGKILL)
                self.killed_at.append(time.monotonic())


def test_churn(credits_models: Path, training_csv: Path, tmp_path: Path, is_long: bool):
    """Through swaps, broken bundles, killed workers and reloads every other request is answered and counted.

    The total in ``/metrics`` is at most the number of requests sent, and at least the number answered less what the
    killed workers had counted in their last second.
    """
    n_requests, n_swaps, n_broken, pause = FULL if is_long else SHORT
    models = two_versions(credits_models, training_csv, tmp_path)
    live = (models / "current").readlink().name
    versions = sorted((entry.name for entry in models.glob("*Z-*")), key=lambda name: name == live)
    assert len(versions) == 2
    with start_service(tmp_path, models, WEB_CONCURRENCY=str(WORKERS), LOG_REQUESTS="false") as service:
        wait_until(lambda: service.metric("app_workers") == WORKERS, "every worker", service)
        service.session.close()
        clients, killer = Clients(service), Killer(service, pause)
        clients.start()
        killer.start()
        try:
            for swap, version in zip(range(n_swaps), cycle(versions), strict=False):
                if swap % (n_swaps // n_broken) == 0:
                    refused = service.log().count(REFUSED)
                    point_to(models, break_copy(models, live, swap))
                    wait_until(lambda refused=refused: service.log().count(REFUSED) > refused, "a refusal", service)
                seen = clients.versions[version]
                point_to(models, version)
                wait_until(lambda v=version, seen=seen: clients.versions[v] > seen, f"an answer by {version}", service)
                if swap in (n_swaps // 3, 2 * n_swaps // 3):
                    service.process.send_signal(signal.SIGHUP)
                due = n_requests * (swap + 1) // n_swaps
                wait_until(lambda due=due: clients.answered >= due, f"{due} answers", service)
            # An idle machine may be through before the first kill.
            wait_until(lambda: killer.killed_at, "a killed worker", service)
        finally:
            killer.ended.set()
            killer.join()
        wait_until(lambda: service.metric("app_workers") == WORKERS, "every worker to be back", service)
        service.session.close()
        # No request is in progress while it is counted, and later ones are not in the total.
        clients.stop()
        counted = service.metric("model_prediction_requests_total", status="success")
        service.session.close()
        last = Clients(service)
        last.start()
        wait_until(lambda: last.answered > 50, "load before the end", service)
        terminated_at = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(60) == 0
        last.stop()
        log = service.log()

    hidden = len(killer.killed_at) * max(clients.by_second.values()) * HIDDEN_SECONDS
    # Visible with -s.
    print(
        f"{clients.answered} answered of {clients.sent}, {counted:.0f} counted, {len(killer.killed_at)} kills, "
        f"{len(clients.failures)} failed, by version {dict(clients.versions)}"
    )
    assert killer.killed_at
    assert unexplained(clients, killer.killed_at) == []
    # A worker has at most one request of each client.
    assert len(clients.failures) <= len(killer.killed_at) * CLIENTS
    assert clients.answered - hidden <= counted <= clients.sent
    assert set(clients.versions) == set(versions)
    assert log.count(REFUSED) >= n_broken
    assert "Traceback" not in log
    # At the end, a request is answered, or its connection is refused.
    early = [failure for at, failure in last.failures if at < terminated_at]
    assert early == []
    # The kernel resets a connection that arrives after the last worker's last accept, before its listener is closed.
    # The client notices when it sends, or when it reads.
    others = [failure for _, failure in last.failures if "ConnectionRefused" not in failure]
    assert [each for each in others if "closed without an answer" not in each and "ConnectionReset" not in each] == []
    assert len(others) <= 1


def unexplained(clients: Clients, killed_at: list[float]) -> list[str]:
    """Return the failures of requests at times when no worker was killed."""
    return [
        failure for at, failure in clients.failures if not any(0 <= at - killed <= KILL_SECONDS for killed in killed_at)
    ]
