"""Measure how the recorder affects requests, and print a table: ``python -m benchmarks.recorder``.

Two workers and the recorder share one core, the load has another; with ``--apart``, the recorder shares the load's
core. In each round the service is started four times: with a working recorder, with one that stores no records, with
one that is stopped (``SIGSTOP``) and whose queues are full, and without one. With a pause of 4 ms, 8 clients send about
1,700 requests per second, a third of the core's capacity; at full load (``--pause 0``), the recorder takes time from
the workers. The table also has the processor time of recorder and supervisor per row.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from math import isnan
from pathlib import Path

import psutil

from benchmarks import running_server, wrk
from benchmarks.alone import AnotherRuns, alone_on_machine
from benchmarks.contestants import ROOT
from benchmarks.core_usage import watch_processes
from benchmarks.results_table import spread
from benchmarks.wrk import Sample

# A row of the example data, as a client sends it.
BODY = '{"feature_vector": [0.56, 0.23], "score": true}\n'

_AT_WORK, _WITHOUT_RECORDS = "recorder at work", "no records"

# In these states the recorder handles every row.
_COSTED = (_AT_WORK, _WITHOUT_RECORDS)

# Long enough to fill the queues of a recorder that reads nothing.
_WARM_UP_SECONDS = 2

_START_SECONDS = 60
_PAUSE_SECONDS = 0.05


class NothingScored(Exception):
    """The service refused the requests, so that nothing was measured; the message says what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recorder", description=__doc__, allow_abbrev=False)
    parser.add_argument("--models", type=Path, default=ROOT / "models", help="a folder of bundles (%(default)s)")
    parser.add_argument("--rounds", type=int, default=10, help="measurements of each kind (%(default)s)")
    parser.add_argument("--seconds", type=int, default=3, help="length of a measurement (%(default)s)")
    parser.add_argument("--connections", type=int, default=8, help="concurrent clients (%(default)s)")
    parser.add_argument("--pause", type=int, default=4, help="ms between two requests of a client (%(default)s)")
    parser.add_argument("--apart", action="store_true", help="run the recorder on the core of the load")
    options = parser.parse_args(arguments)
    if not (options.models / "current").exists():
        print(f"{options.models} has no current model: make one with `make train`, or name --models.", file=sys.stderr)
        return 1
    service_core, load_core = sorted(os.sched_getaffinity(0))[:2]
    states: dict[str, Callable[[psutil.Process], None]] = {
        _AT_WORK: lambda arbiter: None,
        "recorder stopped": _stop_recorder,
        "no recorder": _end_recorder,
        _WITHOUT_RECORDS: lambda arbiter: None,
    }
    samples: dict[str, list[Sample]] = {name: [] for name in states}
    try:
        with alone_on_machine(), tempfile.TemporaryDirectory() as folder:
            bodies = Path(folder, "bodies")
            bodies.write_text(BODY, encoding="ascii")
            for number in range(options.rounds):
                # A different order each time, so that changes of the machine's load favour none.
                first = number % len(states)
                for name in [*states, *states][first : first + len(states)]:
                    share = "off" if name == _WITHOUT_RECORDS else "all"
                    with running_service(options.models.resolve(), Path(folder), service_core, share) as (url, arbiter):
                        if options.apart:
                            _move_recorder(arbiter, load_core)
                        states[name](arbiter)
                        measure = partial(wrk.measure, url, bodies, options.connections, core=load_core)
                        measure(_WARM_UP_SECONDS, pause_ms=options.pause)
                        recorder = _recorder_processes(arbiter) if name in _COSTED else None
                        with watch_processes(recorder[0].pid) if recorder else nullcontext() as processor:
                            sample = measure(options.seconds, pause_ms=options.pause)
                        if processor is not None:
                            sample = replace(sample, cpu_us=processor.seconds * 1e6 / sample.requests)
                    check(sample)
                    samples[name].append(sample)
                    print(f"{number + 1:>3} {name:<18} {sample}", file=sys.stderr, flush=True)
    except (AnotherRuns, NothingScored) as reason:
        print(reason, file=sys.stderr)
        return 1
    for line in tabulate(samples):
        print(line)
    return 0


def tabulate(samples: dict[str, list[Sample]]) -> Iterator[str]:
    """Format medians, minimum and maximum.

    Examples
    --------
    >>> for line in tabulate({"no recorder": [Sample(900, 1.1, 4.0, 0, 0), Sample(990, 1.3, 5.0, 1, 0)]}):
    ...     print(line)
    | | requests/s | p50 ms | p99 ms | refused, broken | recorder's CPU per row (us) |
    |---|--:|--:|--:|--:|--:|
    | no recorder | 945 (900 to 990) | 1.20 (1.10 to 1.30) | 4.50 (4.00 to 5.00) | 1, 0 |  |
    """
    yield "| | requests/s | p50 ms | p99 ms | refused, broken | recorder's CPU per row (us) |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, taken in samples.items():
        rate = spread([sample.requests_per_second for sample in taken])
        p50, p99 = spread([sample.p50_ms for sample in taken], 2), spread([sample.p99_ms for sample in taken], 2)
        failed = f"{sum(sample.refused for sample in taken)}, {sum(sample.broken for sample in taken)}"
        cost = "" if isnan(taken[0].cpu_us) else spread([sample.cpu_us for sample in taken])
        yield f"| {name} | {rate} | {p50} | {p99} | {failed} | {cost} |"


def check(sample: Sample) -> None:
    """Refuse a sample with refusals, which are faster than answers.

    Examples
    --------
    >>> check(Sample(900, 1.1, 4.0, refused=0, broken=0))
    >>> check(Sample(900, 1.1, 4.0, refused=900, broken=0))
    Traceback (most recent call last):
        ...
    benchmarks.recorder.__main__.NothingScored: The service refused 900 requests: ...
    """
    if sample.refused:
        raise NothingScored(
            f"The service refused {sample.refused} requests: --models needs a model of two numbers, as `make train` "
            "makes it."
        )


@contextmanager
def running_service(models: Path, folder: Path, core: int, recorded: str) -> Iterator[tuple[str, psutil.Process]]:
    """Start a service on one core that records a share of its answers; yield its URL and the arbiter."""
    [port] = running_server.free_ports(1)
    settings = {
        "BIND": f"127.0.0.1:{port}",
        "MODEL_DIR": str(models),
        "STATE_DIR": str(folder / "state"),
        "DATABASE_URL": f"sqlite:///{folder}/records/records.db",
        "RECORD_PREDICTIONS": recorded,
        "WEB_CONCURRENCY": "2",
        "LOG_REQUESTS": "false",
        "LOG_LEVEL": "error",
    }
    gunicorn = Path(sys.executable).with_name("gunicorn")
    process = subprocess.Popen(
        ["taskset", "--cpu-list", str(core), str(gunicorn), "app:create_app()"], cwd=ROOT, env=os.environ | settings
    )
    try:
        arbiter = psutil.Process(process.pid)
        _wait_until(lambda: _works(f"http://127.0.0.1:{port}/drift"), "the recorder to report")
        yield f"http://127.0.0.1:{port}/prediction", arbiter
    finally:
        # A stopped process could not exit.
        for child in arbiter.children(recursive=True):
            child.resume()
        running_server.stop(process)


def _move_recorder(arbiter: psutil.Process, core: int) -> None:
    """Move the recorder and its supervisor to another core."""
    for process in _recorder_processes(arbiter):
        for thread in process.threads():
            os.sched_setaffinity(thread.id, {core})


def _stop_recorder(arbiter: psutil.Process) -> None:
    """Stop the recorder without ending it."""
    _, recorder = _recorder_processes(arbiter)
    recorder.suspend()


def _end_recorder(arbiter: psutil.Process) -> None:
    """Kill the supervisor and then the recorder, so that it is not restarted."""
    for process in _recorder_processes(arbiter):
        process.send_signal(signal.SIGKILL)


def _recorder_processes(arbiter: psutil.Process) -> tuple[psutil.Process, psutil.Process]:
    """Find the supervisor and the recorder."""
    [supervisor] = [child for child in arbiter.children() if "app.recorder.supervisor" in child.cmdline()]
    [recorder] = supervisor.children()
    return supervisor, recorder


def _works(url: str) -> bool:
    """Return whether a URL answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    """Poll a condition until it is true."""
    deadline = time.monotonic() + _START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_START_SECONDS} s for {what}")
        time.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
