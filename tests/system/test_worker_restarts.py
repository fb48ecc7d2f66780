"""Workers are restarted hundreds of times; counts stay exact and never decrease, and files stay few."""

from __future__ import annotations

import fcntl
import os
import signal
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.system.running_service import RunningService, start_service, wait_until

pytestmark = pytest.mark.system

ROW = {"feature_vector": [0.56, 0.23], "score": True}

# Number of restarts, by default and with --long; a worker takes about half a second to start.
RESTARTS, RESTARTS_IN_FULL = 10, 1000

# Counters, histograms, and gauges in four modes.
KINDS_OF_FILES = 6


class _Observer:
    """Send predictions and scrapes in threads, and record the results."""

    def __init__(self, service: RunningService) -> None:
        self._address = service.address
        self.sent = self.answered = 0
        self.decreased: list[str] = []
        self.scrape_seconds: list[float] = []
        self.max_files = 0.0
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=task) for task in (self._predict, self._scrape)]

    def __enter__(self) -> _Observer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _predict(self) -> None:
        while not self._stopping.is_set():
            self.sent += 1
            try:
                # A new connection per request, so that a worker that ends does not break a reused one.
                answer = requests.post(f"{self._address}/prediction", json=ROW, timeout=30)
            except requests.ConnectionError:
                continue
            self.answered += answer.status_code == 200

    def _scrape(self) -> None:
        before: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        while not self._stopping.wait(0.02):
            started_at = time.perf_counter()
            try:
                answer = requests.get(f"{self._address}/metrics", timeout=30)
            except requests.ConnectionError:
                continue
            self.scrape_seconds.append(time.perf_counter() - started_at)
            assert answer.status_code == 200
            now = {
                (sample.name, tuple(sorted(sample.labels.items()))): sample.value
                for family in text_string_to_metric_families(answer.text)
                if family.type in ("counter", "histogram")
                for sample in family.samples
                # Scores are negative, so their sum may decrease; creation times are not counts.
                if not sample.name.endswith(("_scores_sum", "_output_sum", "_created"))
            }
            self.decreased += [
                f"{series}: {before[series]} -> {now.get(series)}"
                for series in before
                if now.get(series, -1) < before[series]
            ]
            before = now
            families = {family.name: family for family in text_string_to_metric_families(answer.text)}
            self.max_files = max(self.max_files, families["metrics_files"].samples[0].value)


def _restart_workers(service: RunningService, restarts: int, end: Callable[[int], None]) -> None:
    """End the oldest worker and wait for its replacement, repeatedly."""
    for _ in range(restarts):
        before = service.workers()
        end(before[0])
        wait_until(partial(_has_successor, service, before), "a successor", service)


def _has_successor(service: RunningService, before: list[int]) -> bool:
    """Return whether one worker was replaced."""
    now = service.workers()
    return len(now) == len(before) and len(set(now) - set(before)) == 1


def test_graceful_restarts_lose_nothing(tmp_path: Path, credits_models: Path, is_long: bool):
    """No total ever decreases, the final ones are exact, and only files of live workers and archives remain."""
    restarts = RESTARTS_IN_FULL if is_long else RESTARTS
    with start_service(tmp_path, credits_models) as service:
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        service.session.close()
        with _Observer(service) as observer:
            _restart_workers(service, restarts, lambda worker: os.kill(worker, signal.SIGTERM))
        wait_until(
            lambda: service.metric("app_worker_restarts_total") == restarts, "all restarts to be counted", service
        )
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)

        assert observer.decreased == []
        assert observer.answered == observer.sent > restarts
        assert service.metric("predictions_scores_count") == observer.sent
        assert service.metric("model_prediction_requests_total", status="success") == observer.sent
        # A merge that a scrape got in the way of is repeated a second later.
        wait_until(lambda: service.metric("metrics_files") <= (2 + 1) * KINDS_OF_FILES, "merged files", service)
        assert service.metric("metrics_files_quarantined_total") == 0
        # Visible with -s; times are measured, but not asserted.
        tenth = max(1, len(observer.scrape_seconds) // 10)
        first = statistics.median(observer.scrape_seconds[:tenth]) * 1000
        last = statistics.median(observer.scrape_seconds[-tenth:]) * 1000
        print(f"{restarts} restarts, {observer.sent} predictions, {len(observer.scrape_seconds)} scrapes")
        print(f"median scrape: {first:.1f} ms in the first tenth, {last:.1f} ms in the last")
        print(f"at most {observer.max_files:.0f} files at once")


def test_killed_workers_lose_no_counts(tmp_path: Path, credits_models: Path, is_long: bool):
    """After SIGKILL, every answered request is counted, and no total decreases."""
    restarts = RESTARTS_IN_FULL // 10 if is_long else RESTARTS // 3
    with start_service(tmp_path, credits_models) as service:
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        service.session.close()
        with _Observer(service) as observer:
            _restart_workers(service, restarts, lambda worker: os.kill(worker, signal.SIGKILL))
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)

        assert observer.decreased == []
        assert observer.answered <= service.metric("predictions_scores_count") <= observer.sent
        wait_until(lambda: service.metric("metrics_files") <= (2 + 1) * KINDS_OF_FILES, "merged files", service)


def test_hanging_worker_with_the_lock_delays_nobody(tmp_path: Path, credits_models: Path):
    """The arbiter postpones merging the files of dead workers until the lock is free."""
    with start_service(tmp_path, credits_models) as service:
        wait_until(lambda: service.metric("app_workers") == 2, "two workers", service)
        folder = _metrics_folder(service)
        service.session.close()
        for _ in range(4):
            requests.post(f"{service.address}/prediction", json=ROW, timeout=30)
        with (folder / "fold.lock").open("r+") as stuck:
            fcntl.flock(stuck, fcntl.LOCK_SH)  # like a worker that hangs during a scrape
            _restart_workers(service, 3, lambda worker: os.kill(worker, signal.SIGTERM))
            assert service.metric("predictions_scores_count") == 4
            wait_until(lambda: len(_counter_files(folder)) == 5, "three dead and two live workers", service)
        wait_until(lambda: len(_counter_files(folder)) == 3, "the files to be merged", service)

        assert service.metric("predictions_scores_count") == 4


def _metrics_folder(service: RunningService) -> Path:
    """Return the folder of a worker's metric files."""
    links = [link.readlink() for link in Path(f"/proc/{service.workers()[0]}/fd").iterdir()]
    return next(target.parent for target in links if target.suffix == ".db")


def _counter_files(folder: Path) -> list[Path]:
    """Return the counter files, without the recorder's."""
    return [file for file in folder.glob("counter_*.db") if "recorder" not in file.name]
