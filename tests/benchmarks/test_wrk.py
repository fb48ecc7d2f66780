"""Parsing the output of wrk, and errors if that is impossible."""

from __future__ import annotations

import functools
import http.server
import json
import os
import threading
from typing import ClassVar

import pytest

from benchmarks import wrk


def test_all_kinds_of_answers_are_counted():
    """The line of the Lua script is found anywhere in the output of wrk."""
    output = (
        "Running 10s test @ http://127.0.0.1:8000/prediction\n"
        "  25000 requests in 10.00s\n"
        "measured requests=25000 microseconds=10000000 p50=2900 p99=15500 refused=3 broken=1\n"
    )

    sample = wrk.parse(output)
    assert (sample.requests_per_second, sample.p50_ms, sample.p99_ms) == (2500.0, 2.9, 15.5)
    assert (sample.refused, sample.broken, sample.requests) == (3, 1, 25_000)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("unable to connect to 127.0.0.1:1 Connection refused\n", "unable to connect"),
        ("", "no output"),
        ("measured requests=0 microseconds=10000000 p50=0 p99=0 refused=0 broken=8\n", "no request was answered"),
    ],
)
def test_output_without_figures_is_an_error(output, message):
    """A sample of zeros would distort medians."""
    with pytest.raises(wrk.LoadFailed, match=message):
        wrk.parse(output)


def test_missing_program_is_reported_with_its_package(monkeypatch):
    """The message says how to install wrk."""
    monkeypatch.setattr("benchmarks.wrk.shutil.which", lambda program: None)

    with pytest.raises(wrk.ProgramMissing, match="apt-get install wrk"):
        wrk.find_programs()


class RefusingHandler(http.server.BaseHTTPRequestHandler):
    """Refuses the row 13 and answers every other one."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[set[tuple[str, int]]] = set()

    def do_POST(self):
        row = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["row"]
        self.seen.add((self.headers["Content-Type"], row))
        self.send_response(422 if row == 13 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        """Log nothing."""


def test_real_wrk_sends_every_body_and_counts_refusals(require_program, tmp_path):
    """The Lua script sends all rows as JSON, and a status of 422 counts as refused."""
    require_program("wrk")
    require_program("taskset")
    bodies = tmp_path / "bodies"
    bodies.write_text("".join(f'{{"row": {row}}}\n' for row in (12, 13, 14)))
    RefusingHandler.seen.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), RefusingHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/prediction"
        measure = functools.partial(wrk.measure, url, bodies, 2, 1, min(os.sched_getaffinity(0)))
        sample = measure()
        pausing = measure(pause_ms=200)
        server.shutdown()
        thread.join()

    assert RefusingHandler.seen == {("application/json", row) for row in (12, 13, 14)}
    assert sample.requests_per_second > 0
    assert sample.refused > 0
    assert sample.broken == 0
    # Two clients, each with a request at the start and then at most one every 200 ms.
    assert 0 < pausing.requests_per_second < 20
