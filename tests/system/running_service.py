"""Run a real Gunicorn with real workers on a free local port."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = Path(__file__).parent.parent.parent

# A cold start takes about a second; on a busy machine several times that.
START_SECONDS = 60
STOP_SECONDS = 60


class RunningService:
    """A running service and what tests need from it."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process, self.address, self._log = process, address, log
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, **options: Any) -> requests.Response:
        """Send a GET request."""
        return self.session.get(self.address + path, timeout=30, **options)

    def predict(self, row: list[Any], **options: Any) -> requests.Response:
        """Request the label of a row."""
        return self.session.post(f"{self.address}/prediction", json={"feature_vector": row} | options, timeout=30)

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that have ``labels``."""
        # Tests ask for a metric again and again: the few lines are parsed thirty times faster than all.
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith(name)]
        families = text_string_to_metric_families("\n".join([*lines, ""]))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        assert samples, f"{name} is not in /metrics"
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        return [pid for pid in children_of(self.process.pid) if "app.recorder" not in command_of(pid)]

    def supervisor(self) -> int:
        """Return the process id of the recorder's supervisor."""
        [pid] = [pid for pid in children_of(self.process.pid) if "app.recorder.supervisor" in command_of(pid)]
        return pid

    def recorder(self) -> int:
        """Return the process id of the recorder."""
        [pid] = children_of(self.supervisor())
        return pid

    def log(self) -> str:
        """Return everything written to standard error."""
        return self._log.read_text()

    def stop(self) -> int:
        """Terminate the service and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


@contextmanager
def start_service(
    folder: Path, model_dir: Path, *arguments: str, until: str = "/readyz", **environment: str
) -> Iterator[RunningService]:
    """Start Gunicorn, wait until it answers, and stop it after the block.

    ``folder`` is for the log, state and records. Without a model, wait ``until`` "/healthz".
    """
    port = free_port()
    log = folder / f"service-{port}.log"
    variables = {
        "BIND": f"127.0.0.1:{port}",
        "WEB_CONCURRENCY": "2",
        "MODEL_DIR": str(model_dir),
        "STATE_DIR": str(folder / "state"),
        "DATABASE_URL": f"sqlite:///{folder}/records/records.db",
    } | environment
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("gunicorn"), *arguments, "app:create_app()"],
            cwd=REPOSITORY,
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONWARNINGS": "default"} | variables,
            stderr=log_file,
        )
    service = RunningService(process, f"http://127.0.0.1:{port}", log)
    try:
        wait_until(lambda: _answers(service, until), f"{until} of {service.address}", service)
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        service.session.close()


def wait_until(condition: Any, what: str, service: RunningService | None = None) -> None:
    """Poll until ``condition()`` holds; fail after ``START_SECONDS``."""
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        log = service.log() if service else ""
        assert service is None or service.process.poll() is None, f"the service exited:\n{log}"
        assert time.monotonic() < deadline, f"timed out after {START_SECONDS} s waiting for {what}\n{log}"
        # Often enough for a test, and seldom enough to leave the processors to what is waited for.
        time.sleep(0.1)


def children_of(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def command_of(pid: int) -> str:
    """Return the command line of a process; empty if it has just exited."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(service: RunningService, path: str) -> bool:
    """Return whether a GET request to ``path`` is answered with 200."""
    try:
        return service.get(path).status_code == 200
    except requests.ConnectionError:
        return False
