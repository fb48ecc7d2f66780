"""A server is used only if its answers are correct, and all its processes end."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks import running_server
from benchmarks.contestants import choose
from benchmarks.running_server import ServerFailed, start
from benchmarks.trained_model import TrainedModel

# A server with a child process, like many real ones; ``$1`` is the label that it returns.
START = """#!/bin/sh
exec "$BIN/python" server.py "$PORT" "$1"
"""
SERVER = """
import http.server, json, subprocess, sys

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps({"is_inlier": int(sys.argv[2]), "anomaly_score": -0.5}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print("child", child.pid, flush=True)
if sys.argv[2] == "0":
    child.kill()
    sys.exit("no model here")
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CORE = min(os.sched_getaffinity(0))


@pytest.fixture
def model(tmp_path):
    """Return a model with two rows that scikit-learn would label 1 and score -0.5."""
    rows = np.array([[0.0, 1.0], [2.0, 3.0]])
    return TrainedModel(tmp_path, tmp_path / "model.joblib", rows, rows, [1, 1], [-0.5, -0.5])


@pytest.fixture
def start_server(tmp_path, model, monkeypatch, require_program):
    """Return a function that starts the small server above with the label to return."""
    require_program("taskset")
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "start.sh").write_text(START)
    (tmp_path / "small" / "server.py").write_text(SERVER)
    monkeypatch.setattr(running_server, "SERVERS", tmp_path)
    [ours] = choose("ours")

    def start_server(label):
        small = dataclasses.replace(ours, name="small", folder="small", arguments=(label,))
        return start(small, Path(sys.executable).parent, model, tmp_path, CORE)

    return start_server


def child_of(folder):
    """Return the child process of the server."""
    return int((folder / "small.log").read_text().split()[1])


def test_correct_server_runs_on_its_core_and_ends_with_its_children(start_server, tmp_path):
    """It runs on the given core, and no process is left."""
    with start_server("1"):
        child = psutil.Process(child_of(tmp_path))
        server = child.parent()
        assert server.cpu_affinity() == [CORE]

    assert not server.is_running()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_wrong_answer_is_refused(start_server):
    """A server whose labels differ from scikit-learn's is not measured."""
    with pytest.raises(ServerFailed, match="label -1 where scikit-learn says 1"), start_server("-1"):
        pass


def test_server_that_exits_is_reported_with_the_end_of_its_log(start_server):
    """The log has the reason."""
    with pytest.raises(ServerFailed, match=r"ended with 1; its log ends with: .*no model here"), start_server("0"):
        pass
