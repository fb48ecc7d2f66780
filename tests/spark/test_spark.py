"""Real Spark: a standalone cluster on loopback whose executor is killed, a stream that is killed, samples, refusals.

Skipped without PySpark and Java. To run them: ``.venv/bin/pip install -r requirements/spark.txt``, install a Java of
version 17 or newer, then ``.venv/bin/pytest tests/spark``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spark.sampling import smallest_keys
from tests.spark.packed_model import PackedModel, make_rows
from training.data.choices import SampleOptions
from training.data.dataset import read_training_data

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="PySpark is not installed: docs/spark.md"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17, and there is none: docs/spark.md"),
    pytest.mark.system,
    # Starting a JVM takes half a minute on a busy machine.
    pytest.mark.timeout(600),
]

N_ROWS, N_FILES = 300_000, 12

LOCAL = "local[2]"


def environment() -> dict[str, str]:
    """Return the environment of Spark's programs: loopback only, and this Python."""
    return {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "localhost",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": str(ROOT),
    }


def wait_for(condition: Callable[[], object], what: str, seconds: float = 240) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of Parquet files."""
    folder = tmp_path_factory.mktemp("rows")
    table = make_rows(N_ROWS)
    for number in range(N_FILES):
        part = table.slice(number * N_ROWS // N_FILES, N_ROWS // N_FILES)
        pq.write_table(part, folder / f"{number:02d}.parquet")
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that starts a program whose output goes to ``NAME.log``; all are ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start_program(name: str, *command: str | Path) -> subprocess.Popen[bytes]:
        with (tmp_path / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment(), cwd=tmp_path, start_new_session=True
            )
        started.append(process)
        return process

    yield start_program
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def run_job(start: Callable[..., subprocess.Popen[bytes]]) -> Callable[..., subprocess.Popen[bytes]]:
    """Return a function that starts ``job.py``."""
    return lambda name, *arguments: start(name, sys.executable, Path(__file__).with_name("job.py"), *arguments)


def start_cluster(start: Callable[..., subprocess.Popen[bytes]], folder: Path) -> tuple[str, list[psutil.Process]]:
    """Start a master and two workers; return the master's address, and the workers."""
    found = importlib.util.find_spec("pyspark")
    program = Path(found.origin).parent / "bin" / "spark-class"
    of_both = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
    start("master", program, "org.apache.spark.deploy.master.Master", *of_both)

    def find_address() -> list[str]:
        words = (folder / "master.log").read_text().split()
        return [word.rstrip(",") for word in words if word.startswith("spark://")]

    wait_for(find_address, "the master")
    [address, *_] = find_address()
    workers = [
        psutil.Process(
            start(
                f"worker{number}",
                program,
                "org.apache.spark.deploy.worker.Worker",
                *of_both,
                *("--cores", "1", "--memory", "600m", "--work-dir", folder / f"work{number}"),
                address,
            ).pid
        )
        for number in range(2)
    ]
    wait_for(lambda: (folder / "master.log").read_text().count("Registering worker") == 2, "the workers")
    return address, workers


def check_answers(scored: pa.Table, packed: PackedModel) -> None:
    """Check that each row is there once, unchanged, with scikit-learn's label and score to the last bit."""
    scored, table = scored.sort_by("id"), make_rows(N_ROWS)
    labels, scores = packed.score(table)

    assert scored.select(["id", "mean", "sd"]).equals(table)
    assert np.array_equal(scored["is_inlier"].to_numpy(), labels)
    assert np.array_equal(scored["anomaly_score"].to_numpy(), scores)


def test_every_row_is_scored_once_although_an_executor_is_killed(
    packed: PackedModel, rows: Path, tmp_path: Path, start, run_job
):
    """The answers are scikit-learn's to the last bit."""
    address, workers = start_cluster(start, tmp_path)
    target = tmp_path / "scored"
    job = run_job("job", address, "score", packed.pack, rows, target)
    wait_for(lambda: job.poll() is not None or len([*target.glob("_temporary/0/task_*")]) >= N_FILES // 3, "tasks")
    children = workers[0].children(recursive=True)
    [executor] = [each for each in children if "CoarseGrainedExecutorBackend" in " ".join(each.cmdline())]
    is_under_way = not (target / "_SUCCESS").exists()
    executor.kill()

    assert job.wait(300) == 0, (tmp_path / "job.log").read_text()[-3000:]
    assert is_under_way
    assert "Lost executor" in (tmp_path / "job.log").read_text()
    check_answers(pq.read_table(target), packed)


def test_stream_that_was_killed_misses_nothing_and_repeats_nothing(
    packed: PackedModel, rows: Path, tmp_path: Path, run_job
):
    """A stream from files with a checkpoint goes on where it was."""
    target, log = tmp_path / "scored", tmp_path / "scored" / "_spark_metadata"
    first = run_job("first", LOCAL, "stream", packed.pack, rows, target)
    wait_for(lambda: first.poll() is not None or (log / "3").exists(), "three batches")
    assert first.poll() is None, (tmp_path / "first.log").read_text()[-3000:]
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    n_batches = len([*log.glob("[0-9]*")])

    second = run_job("second", LOCAL, "stream", packed.pack, rows, target)

    assert second.wait(500) == 0, (tmp_path / "second.log").read_text()[-3000:]
    assert n_batches < N_FILES == len([*log.glob("[0-9]*")])
    check_answers(pq.read_table(f"{target}.read"), packed)


def test_sample_is_the_one_that_one_machine_draws(rows: Path, packed: PackedModel, tmp_path: Path, run_job):
    """Whatever the partitions; in the chosen order of columns."""
    assert run_job("job", LOCAL, "sample", packed.pack, rows, tmp_path / "drawn").wait(300) == 0

    table = make_rows(N_ROWS).select(["sd", "mean"]).append_column("count", pa.array(np.ones(N_ROWS, np.int64)))
    [batch] = table.combine_chunks().to_batches()
    [drawn] = smallest_keys(iter([batch]), 1000, 7)
    expected = pa.Table.from_batches([drawn]).sort_by("isowatch_key").select(["sd", "mean"])
    assert pq.read_table(tmp_path / "drawn").equals(expected)
    trained_on = read_training_data(rows, features=["sd", "mean"], sampling=SampleOptions(1000, seed=7))
    assert trained_on.rows.tolist() == [list(row.values()) for row in expected.to_pylist()]


def test_executor_without_the_kernel_refuses(packed: PackedModel, rows: Path, tmp_path: Path, run_job):
    """Scoring does not become ten times as slow without a word."""
    crippled = tmp_path / "crippled.zip"
    with zipfile.ZipFile(packed.pack) as source, zipfile.ZipFile(crippled, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"not a library" if name.endswith(".so") else source.read(name))

    assert run_job("job", LOCAL, "refuse", crippled, rows, tmp_path / "scored").wait(300) != 0

    said = (tmp_path / "job.log").read_text()
    assert "there is no compiled kernel for this machine" in said
    assert "pass allow_numpy=True" in said
