"""Run the real ``locust`` program.

It runs in its own process, because importing it would monkey-patch the sockets and threads of this one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.system.running_service import free_port, wait_until

LOCUSTFILE = Path(__file__).resolve().parents[2] / "loadtest" / "locustfile.py"

# Far more than any of these runs needs; only a run that hangs takes so long.
TIMEOUT_SECONDS = 60


def locust_command(*arguments, locustfile=LOCUSTFILE):
    """Return the command line, with the interpreter of this environment."""
    return [sys.executable, "-m", "locust", "-f", str(locustfile), *map(str, arguments)]


def run_locust(*arguments, locustfile=LOCUSTFILE, cwd=None):
    """Run the program and wait for its end."""
    command = locust_command(*arguments, locustfile=locustfile)
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=TIMEOUT_SECONDS)


def statistics_file(rows_file):
    """Return the options that make Locust write its statistics next to the rows instead of printing them."""
    return ["--json-file", rows_file.with_name("statistics")]


def requests_counted(rows_file):
    """Return Locust's numbers of requests and failures by name."""
    statistics = json.loads(rows_file.with_name("statistics.json").read_text())
    return {entry["name"]: (entry["num_requests"], entry["num_failures"]) for entry in statistics}


def free_master_port():
    """Return options for an unused master port: another load test may use the default one."""
    port = free_port()
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


@contextmanager
def running_page(service_url, log, *arguments) -> Iterator[str]:
    """Start Locust with its web page, yield the page's URL, and terminate it; its exit code must be 0."""
    port = free_port()
    page = f"http://127.0.0.1:{port}"
    command = locust_command("-H", service_url, "--web-host", "127.0.0.1", "--web-port", port, *arguments)
    with log.open("w") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        wait_until(lambda: _answers(page), "the web page")
        yield page
    finally:
        process.terminate()
        process.wait(TIMEOUT_SECONDS)
    assert process.returncode == 0, log.read_text()


def _answers(url):
    """Return whether a URL answers."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False
