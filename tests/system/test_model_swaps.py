"""Models change under load: no request is affected, and a broken bundle never goes live."""

from __future__ import annotations

import csv
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path

import joblib
import numpy as np
import psutil
import pytest
import requests

from tests.system.model_versions import break_copy, point_to, run_training, two_versions
from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

WORKERS = 2

# Enough to keep both workers busy, but few enough to leave them the CPU.
CLIENTS = 4

ROWS = 200

# Permitted relative change of memory usage over all swaps.
MEMORY_TOLERANCE = 0.10


@pytest.fixture
def models(credits_models: Path, training_csv: Path, tmp_path: Path) -> Path:
    """A folder with two versions that answer differently; the second one is live."""
    return two_versions(credits_models, training_csv, tmp_path)


class Load:
    """Clients that send requests without a pause, and compare each answer with scikit-learn's for the same version.

    Parameters
    ----------
    service
        The service.
    rows
        The rows to send.
    expected
        Label and score of every row, by version.
    """

    def __init__(
        self, service: RunningService, rows: list[list[float]], expected: dict[str, list[tuple[int, float]]]
    ) -> None:
        self._service, self._rows, self._expected = service, rows, expected
        self._stopping = threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    @contextmanager
    def running(self) -> Iterator[Load]:
        """Send requests while the block runs."""
        clients = [threading.Thread(target=self._send, args=(number,)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            yield self
        finally:
            self._stopping.set()
            for client in clients:
                client.join()

    def wait_for_answers(self, n_answers: int) -> None:
        """Wait for a number of further answers."""
        before = self.answers.total()
        wait_until(lambda: self.answers.total() - before >= n_answers, f"{n_answers} answers", self._service)

    def _send(self, client: int) -> None:
        """Send row after row, each client starting with a different one."""
        with requests.Session() as session:
            session.trust_env = False
            for number in count(client * len(self._rows) // CLIENTS):
                if self._stopping.is_set():
                    return
                self._send_row(number % len(self._rows), session)

    def _send_row(self, number: int, session: requests.Session) -> None:
        """Send one row and check the answer."""
        body = {"feature_vector": self._rows[number], "score": True}
        try:
            answer = session.post(f"{self._service.address}/prediction", json=body, timeout=30)
            version, given = answer.headers["X-Model-Version"], answer.json()
            label, score = self._expected[version][number]
            if answer.status_code != 200 or given["is_inlier"] != label or abs(given["anomaly_score"] - score) > 1e-12:
                self.failures.append(f"{answer.status_code} by {version}: {given}, expected {label}, {score}")
            self.answers[version] += 1
        except (requests.RequestException, KeyError, ValueError) as error:
            self.failures.append(f"{type(error).__name__}: {error}")


def read_rows(training_csv: Path) -> list[list[float]]:
    """Read the first distinct rows."""
    with training_csv.open(newline="") as file:
        rows = dict.fromkeys(tuple(row) for row in islice(csv.reader(file), 1, None))
    return [[float(cell) for cell in row] for row in islice(rows, ROWS)]


def predict_with_scikit_learn(models: Path, version: str, rows: list[list[float]]) -> list[tuple[int, float]]:
    """Return labels and scores of rows by a version's scikit-learn estimator."""
    estimator = joblib.load(models / version / "model.joblib")
    as_compared = np.array(rows, np.float32)
    labels, scores = estimator.predict(as_compared), estimator.score_samples(as_compared)
    return list(zip(labels.tolist(), scores.tolist(), strict=True))


def memory_of(service: RunningService) -> int:
    """Return the memory of the service's processes, counting shared pages once."""
    processes = [psutil.Process(pid) for pid in (service.process.pid, *service.workers())]
    return sum(process.memory_full_info().pss for process in processes)


def test_swaps_under_load_do_not_affect_requests(models: Path, training_csv: Path, tmp_path: Path, is_long: bool):
    """Every answer is that of the version in its header, memory is stable, and broken bundles change nothing."""
    n_swaps, n_broken = (50, 10) if is_long else (4, 2)
    rows = read_rows(training_csv)
    live = (models / "current").readlink().name
    (other,) = {entry.name for entry in models.glob("*Z-*")} - {live}
    expected = {version: predict_with_scikit_learn(models, version, rows) for version in (live, other)}
    assert expected[live] != expected[other]

    with start_service(tmp_path, models, WEB_CONCURRENCY=str(WORKERS), LOG_REQUESTS="false") as service:
        wait_until(lambda: service.metric("app_workers") == WORKERS, "every worker", service)
        load = Load(service, rows, expected)
        swaps, refusals = 0, 0
        with load.running():
            load.wait_for_answers(1_000)
            memory_before = memory_of(service)
            for number in range(n_swaps):
                if number % (n_swaps // n_broken) == 0:
                    point_to(models, break_copy(models, live, refusals))
                    refusals += 1
                    wait_until(
                        lambda n=refusals: service.metric("model_swaps_total", result="refused") == WORKERS * n,
                        "every worker to refuse the broken bundle",
                        service,
                    )
                    assert service.get("/model_information").json()["model"]["version"] == live
                    assert service.get("/readyz").status_code == 200
                live, other = other, live
                run_training("promote", live, models=models)
                swaps += 1
                wait_until(
                    lambda n=swaps: service.metric("model_swaps_total", result="swapped") == WORKERS * n,
                    "every worker to swap",
                    service,
                )
                answer = service.predict(rows[0])
                assert answer.headers["X-Model-Version"] == live
                assert service.get("/model_information").json()["model"]["version"] == live
                assert service.metric("model_info", model_version=live) == 1
                assert service.metric("model_info", model_version=other) == 0
            load.wait_for_answers(1_000)
            memory_after = memory_of(service)
        counted = service.metric("model_prediction_requests_total", status="success")
        log = service.log()

    assert load.failures == []
    assert min(load.answers.values()) > 100
    assert counted == load.answers.total() + n_swaps
    assert abs(memory_after - memory_before) <= MEMORY_TOLERANCE * memory_before, (memory_before, memory_after)
    assert log.count("refused a model bundle") == refusals == n_broken
    assert (swaps, "Traceback" in log) == (n_swaps, False)


@pytest.mark.long
def test_broken_bundle_is_refused_once_per_worker(models: Path, tmp_path: Path):
    """Every worker refuses each bundle once; a new worker serves the same model as the others."""
    live = (models / "current").readlink().name
    with start_service(tmp_path, models, WEB_CONCURRENCY=str(WORKERS)) as service:
        wait_until(lambda: service.metric("app_workers") == WORKERS, "every worker", service)
        for times in (1, 2):
            point_to(models, break_copy(models, live, times))
            wait_until(
                lambda n=times: service.metric("model_swaps_total", result="refused") == WORKERS * n,
                "every worker to refuse the broken bundle",
                service,
            )
            if times == 1:
                run_training("promote", live, models=models)
        old = set(service.workers())
        service.session.close()
        service.process.send_signal(signal.SIGHUP)
        wait_until(
            lambda: len(service.workers()) == WORKERS and not old & set(service.workers()), "new workers", service
        )
        wait_until(lambda: service.metric("app_workers") == WORKERS, "every new worker", service)

        assert service.metric("model_swaps_total", result="swapped") == 0
        assert service.metric("model_info", model_version=live) == 1
        for _ in range(10):
            answer = requests.post(f"{service.address}/prediction", json={"feature_vector": [0.5, 0.2]}, timeout=30)
            assert (answer.status_code, answer.headers["X-Model-Version"]) == (200, live)
        assert service.log().count("refused a model bundle") == 2
