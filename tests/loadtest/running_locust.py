"""The real ``locust`` program, started as a user starts it.

It is a process of its own: importing it would make the sockets and threads of this one cooperative.
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

# Far more than any of these runs needs; it only ends one that hangs.
PATIENCE_SECONDS = 60


def locust_command(*arguments, locustfile=LOCUSTFILE):
    """Return the command line that a user would type, with the interpreter of this environment."""
    return [sys.executable, "-m", "locust", "-f", str(locustfile), *map(str, arguments)]


def run_locust(*arguments, locustfile=LOCUSTFILE, cwd=None):
    """Run the program to its end."""
    command = locust_command(*arguments, locustfile=locustfile)
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=PATIENCE_SECONDS)


def statistics_file(rows_file):
    """Return the option that makes Locust write its statistics, instead of printing them, beside the rows."""
    return ["--json-file", rows_file.with_name("statistics")]


def requests_counted(rows_file):
    """Return the number of requests and of failures by name, as Locust counted them."""
    statistics = json.loads(rows_file.with_name("statistics.json").read_text())
    return {entry["name"]: (entry["num_requests"], entry["num_failures"]) for entry in statistics}


def meeting_point():
    """Return options for a port of their own: processes would meet on a fixed one, where another load may run."""
    port = free_port()
    return ["--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--master-port", port]


@contextmanager
def running_page(service_url, log, *arguments) -> Iterator[str]:
    """Start Locust with its page, give the page's address, and end it with SIGTERM; its status must be 0."""
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
        process.wait(PATIENCE_SECONDS)
    assert process.returncode == 0, log.read_text()


def _answers(url):
    """Say whether something answers there."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.ConnectionError:
        return False
