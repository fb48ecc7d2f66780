"""Start a server on its own core, wait until its answers are right, and stop it with all its processes."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.contestants import SERVERS, Contestant, Interface
from benchmarks.trained_model import TrainedModel, find_difference

# MLflow takes about ten seconds on a quiet machine.
_START_SECONDS = 120
_STOP_SECONDS = 15
# Children that outlive their parent did not get a signal.
_CHILD_STOP_SECONDS = 1
_REQUEST_SECONDS = 20

# Between two attempts to reach a starting server.
_PAUSE_SECONDS = 0.2

# How much of a log and of an answer is in the message about a failed server.
_LAST_LINES = 5
_FIRST_BYTES = 200


class ServerFailed(Exception):
    """A server did not start, or its answers differ from scikit-learn's; the message says what happened."""


@dataclass(frozen=True)
class RunningServer:
    """A started server: the port on which it answers, and the id of the process that started all its others."""

    port: int
    pid: int


@contextmanager
def start(
    contestant: Contestant, bin_folder: Path, model: TrainedModel, work: Path, core: int
) -> Iterator[RunningServer]:
    """Start a server, and stop it when the block ends.

    Parameters
    ----------
    contestant
        The server.
    bin_folder
        ``bin`` folder of its environment.
    model
        The model to serve.
    work
        Folder for its log and its files.
    core
        The core that all its processes run on.

    Returns
    -------
    Its port and its first process.

    Raises
    ------
    ServerFailed
        If it does not answer in time, or its answers differ from scikit-learn's; with the end of its log.
    """
    port, spare, second_spare = free_ports(3)
    variables = {
        "PATH": os.environ["PATH"],
        "HOME": str(work),
        "LANG": "C.UTF-8",
        "BIN": str(bin_folder),
        "PORT": str(port),
        "SPARE_PORT": str(spare),
        "SECOND_SPARE_PORT": str(second_spare),
        "MODEL_DIR": str(model.bundles),
        "MODEL_JOBLIB": str(model.estimator_file),
        "WORK_DIR": str(work),
    } | contestant.environment
    log = work / f"{contestant.name}.log"
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), "sh", "start.sh", *contestant.arguments],
            cwd=SERVERS / contestant.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
        )
    try:
        try:
            _wait_until_it_answers(process, port, contestant.interface, model)
            check_answers(port, contestant.interface, model)
        except ServerFailed as failure:
            last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            raise ServerFailed(f"{failure}; its log ends with: {' / '.join(last)}") from None
        yield RunningServer(port, process.pid)
    finally:
        stop(process)


def check_answers(port: int, interface: Interface, model: TrainedModel) -> None:
    """Request every row once, which also warms the server up.

    Raises
    ------
    ServerFailed
        At the first answer that is missing or differs from scikit-learn's.
    """
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_REQUEST_SECONDS)) as connection:
        for row, label, score in zip(model.rows.tolist(), model.labels, model.scores, strict=True):
            try:
                status, body = _send(connection, interface, row)
                difference = find_difference(interface, json.loads(body), label, score) if status == 200 else ""
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise ServerFailed(f"{row} is not answered ({type(error).__name__}: {error})") from error
            if status != 200:
                raise ServerFailed(f"{row} is answered with {status}: {body[:_FIRST_BYTES]!r}")
            if difference:
                raise ServerFailed(f"{row}: {difference}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate a process and its children, and kill what is left."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    # psutil compares the start time too, so that a reused process id is left alone.
    left = psutil.wait_procs(family, timeout=_CHILD_STOP_SECONDS)[1]
    for child in left:
        child.kill()
    psutil.wait_procs(left, timeout=_STOP_SECONDS)


def free_ports(count: int) -> list[int]:
    """Find free ports."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _send(connection: http.client.HTTPConnection, interface: Interface, row: list[float]) -> tuple[int, bytes]:
    """Send one row, and return status and body of the answer."""
    body = json.dumps(interface.body(row))
    connection.request("POST", interface.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def _wait_until_it_answers(
    process: subprocess.Popen[bytes], port: int, interface: Interface, model: TrainedModel
) -> None:
    """Request one row repeatedly until there is an answer: some servers listen before they are ready."""
    row = model.rows[0].tolist()
    deadline = time.monotonic() + _START_SECONDS
    while True:
        if process.poll() is not None:
            raise ServerFailed(f"it ended with {process.returncode}")
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_REQUEST_SECONDS)) as connection:
                status, body = _send(connection, interface, row)
            last = f"{status} {body[:_FIRST_BYTES]!r}"
            if status == 200:
                return
        except (OSError, http.client.HTTPException) as error:
            last = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise ServerFailed(f"it was not ready within {_START_SECONDS} s, at last: {last}")
        time.sleep(_PAUSE_SECONDS)
