"""Measure a server with wrk."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from math import nan
from pathlib import Path

_SCRIPT = Path(__file__).with_name("post.lua")

# With 64 clients, a server that answers 60 requests per second needs over a second for each; wrk's default limit of 2 s
# would count some as broken.
_ANSWER_SECONDS = 20

# After the measured time, wrk waits up to _ANSWER_SECONDS for the last answers.
_GRACE_SECONDS = _ANSWER_SECONDS + 10

_MEASURED = re.compile(
    r"^measured requests=(\d+) microseconds=(\d+) p50=(\d+) p99=(\d+) refused=(\d+) broken=(\d+)$", re.MULTILINE
)


class ProgramMissing(Exception):
    """A program that the measurement needs is not installed; the message says how to get it."""


class LoadFailed(Exception):
    """wrk could not measure; the message has its output."""


class NothingAnswered(LoadFailed):
    """wrk measured, but no request was answered."""


@dataclass(frozen=True)
class Sample:
    """The result of one measurement.

    Parameters
    ----------
    requests_per_second
        Answers per second, including refusals.
    p50_ms, p99_ms
        Milliseconds within which half and 99 % of the requests were answered.
    refused
        Answers with a status of 400 or more.
    broken
        Connections that failed and requests that were not answered in time.
    requests
        Number of answers.
    cpu_us
        Processor time per answer of all the server's processes, in microseconds; NaN if it was not measured.
    """

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    refused: int
    broken: int
    requests: int = 0
    cpu_us: float = nan


def find_programs() -> None:
    """Check that wrk and taskset are installed.

    Raises
    ------
    ProgramMissing
        If one is not installed.
    """
    for program, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(program) is None:
            raise ProgramMissing(f"{program} is not installed: on Debian and Ubuntu, apt-get install {package}.")


def measure(url: str, bodies: Path, connections: int, seconds: int, core: int, pause_ms: int = 0) -> Sample:
    """Send the bodies repeatedly and measure the answers.

    Parameters
    ----------
    url
        URL of the requests.
    bodies
        File with one JSON body per line.
    connections
        Number of clients; each sends its next request after an answer and a pause.
    seconds
        Duration of the measurement.
    core
        The CPU that wrk runs on.
    pause_ms
        Pause of a client; without a pause, the service is fully loaded.

    Raises
    ------
    LoadFailed
        If wrk fails or its output cannot be read.
    """
    command = ["taskset", "--cpu-list", str(core), "wrk", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", f"{_ANSWER_SECONDS}s", "--script", str(_SCRIPT)]
    try:
        done = subprocess.run(
            [*command, url, "--", str(bodies), str(pause_ms)],
            capture_output=True,
            text=True,
            timeout=seconds + _GRACE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"wrk did not end within {seconds + _GRACE_SECONDS} s") from None
    return parse(done.stdout + done.stderr)


def parse(output: str) -> Sample:
    r"""Parse the output of ``post.lua``.

    Raises
    ------
    LoadFailed
        If it is missing, or no request was answered.

    Examples
    --------
    >>> parse("...\nmeasured requests=5000 microseconds=2000000 p50=3100 p99=9000 refused=0 broken=2\n")
    Sample(requests_per_second=2500.0, p50_ms=3.1, p99_ms=9.0, refused=0, broken=2, requests=5000, cpu_us=nan)
    """
    found = _MEASURED.search(output)
    if found is None:
        raise LoadFailed(f"wrk gave no figures: {output.strip() or 'no output'}")
    requests, microseconds, p50, p99, refused, broken = (int(figure) for figure in found.groups())
    if requests == 0:
        raise NothingAnswered("no request was answered")
    return Sample(requests / microseconds * 1e6, p50 / 1000, p99 / 1000, refused, broken, requests)
