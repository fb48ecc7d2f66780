"""Measure how many rows per second a recorder writes, and what CPU time it needs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
from prometheus_client import CollectorRegistry

from app.db.ids import make_record_id
from app.metrics.scrape import FolderMetrics
from app.metrics.service import ServiceMetrics
from app.model.scoring import ScoredRows
from app.recorder.client import RecorderClient
from app.recorder.listener import listen

# Rows are sent in small bursts, as from workers that share a processor.
_BURST_SECONDS = 0.002

_START_SECONDS = 60
_PAUSE_SECONDS = 0.05

# Without a model there are no drift detectors, so that only records are measured.
_NO_MODELS = "no-models"


@dataclass(frozen=True)
class Written:
    """The result of one measurement.

    Parameters
    ----------
    n_sent, n_not_sent, n_dropped, n_recorded
        Rows that the socket accepted and rejected, that the recorder dropped, and that were committed.
    seconds, cpu_seconds
        Time from the first row to the last, and CPU time of the recorder meanwhile.
    batch_seconds
        Mean duration of a transaction.
    """

    n_sent: int
    seconds: float
    n_not_sent: int
    n_dropped: int
    n_recorded: int
    cpu_seconds: float
    batch_seconds: float


def measure_writing(
    address: str, folder: Path, are_callers: bool, rows_per_second: int, seconds: int, core: int
) -> Written:
    """Send rows to a new recorder at a constant rate, and wait until it has processed them.

    Parameters
    ----------
    address
        The database.
    folder
        Folder for the state of the recorder.
    are_callers
        Whether each request has an id chosen by its caller.
    rows_per_second, seconds
        The rate, and the duration.
    core
        Core of the recorder.
    """
    registry = CollectorRegistry()
    with _recorder(address, folder, core) as (process, metrics_folder):
        worker = RecorderClient(metrics_folder, ServiceMetrics(registry), keeps_rows=True)
        _wait_until(lambda: _metric(metrics_folder, "records_up") == 1, "the database")
        scored = ScoredRows(np.array([[0.56, 0.23]], np.float32), np.array([-0.4]), np.array([1]), np.array([0.9]))
        before, started, n_rows = process.cpu_times(), time.perf_counter(), 0
        while (elapsed := time.perf_counter() - started) < seconds:
            while n_rows < elapsed * rows_per_second:
                own = make_record_id()
                worker.publish(str(uuid.uuid4()) if are_callers else own, "benchmark", scored, own)
                n_rows += 1
            time.sleep(_BURST_SECONDS)
        elapsed = time.perf_counter() - started
        n_sent, n_not_sent = (
            int(registry.get_sample_value("recorder_rows_total", {"result": result}) or 0)
            for result in ("sent", "dropped")
        )
        _wait_until(
            lambda: (
                _metric(metrics_folder, "recorder_rows_total", result="recorded")
                + _metric(metrics_folder, "records_given_up_rows_total")
                >= n_sent
            ),
            "the last rows",
        )
        after = process.cpu_times()
        worker.close()
        duration = "records_write_duration_seconds"
        return Written(
            n_sent,
            elapsed,
            n_not_sent,
            int(_metric(metrics_folder, "records_given_up_rows_total")),
            int(_metric(metrics_folder, "recorder_rows_total", result="recorded")),
            after.user + after.system - before.user - before.system,
            _metric(metrics_folder, f"{duration}_sum") / _metric(metrics_folder, f"{duration}_count"),
        )


@contextmanager
def _recorder(address: str, folder: Path, core: int) -> Iterator[tuple[psutil.Process, Path]]:
    """Start a recorder as the supervisor does; yield it and its metrics folder."""
    with TemporaryDirectory(dir=folder) as metrics_folder:
        shutdown_pipe, arbiter = os.pipe()
        with listen(Path(metrics_folder)) as listener:
            process = subprocess.Popen(
                [
                    "taskset",
                    "--cpu-list",
                    str(core),
                    sys.executable,
                    "-m",
                    "app.recorder",
                    str(listener.fileno()),
                    "r1",
                ],
                stdin=shutdown_pipe,
                pass_fds=(listener.fileno(),),
                env=os.environ
                | {
                    "PROMETHEUS_MULTIPROC_DIR": metrics_folder,
                    "DATABASE_URL": address,
                    "STATE_DIR": str(folder / "state"),
                    "MODEL_DIR": str(folder / _NO_MODELS),
                    "LOG_LEVEL": "error",
                },
            )
            os.close(shutdown_pipe)
            try:
                yield psutil.Process(process.pid), Path(metrics_folder)
            finally:
                os.close(arbiter)
                process.wait(_START_SECONDS)


def _metric(folder: Path, name: str, **labels: str) -> float:
    """Sum the samples of a metric; 0 while it does not exist."""
    return sum(
        sample.value
        for family in FolderMetrics(folder).read()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll a condition until it is true."""
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_START_SECONDS} s for {what}")
        time.sleep(_PAUSE_SECONDS)
