"""Every server that is named can be started, installed from a lock, asked and read."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from benchmarks.contestants import PEERS, SERVERS, WORKER_CLASSES, body_lines, choose
from benchmarks.run import main
from benchmarks.trained_model import find_difference

ALL = (*PEERS, *WORKER_CLASSES)
ROW = [0.56, 0.23]
LOCKS = sorted(SERVERS.glob("*/requirements.txt"))


def interface_of(name):
    """Find how a server is asked."""
    return choose(name)[0].interface


@pytest.mark.parametrize("contestant", ALL, ids=lambda contestant: contestant.name)
def test_every_contestant_has_its_files(contestant):
    """A start script that the shell can read, and the locks that are installed."""
    script = SERVERS / contestant.folder / "start.sh"

    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    assert contestant.locks
    assert all(lock.is_file() for lock in contestant.locks)


def test_names_are_unique():
    """Samples are kept by name."""
    assert len({contestant.name for contestant in ALL}) == len(ALL)


def test_every_server_folder_is_measured():
    """A folder whose contestant has gone is removed with it."""
    assert {path.parent.name for path in SERVERS.glob("*/start.sh")} == {contestant.folder for contestant in ALL}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_locks_pin_with_hashes_and_name_no_address(lock):
    """Where packages come from is the business of each machine."""
    text = lock.read_text(encoding="utf-8")
    entries = text.replace("\\\n", " ").splitlines()

    assert "://" not in text
    assert re.search(r"index|find-links|trusted-host", text) is None
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ ", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_unknown_name_is_refused_with_those_that_exist(capsys):
    """A typing error is answered with the names, before anything is started."""
    with pytest.raises(SystemExit, match="2"):
        main(["--servers", "ours,mlfow"])

    assert re.search(r"no server 'mlfow'.*ours.*mlflow.*gevent", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("ours", {"is_inlier": -1, "anomaly_score": -0.7}),
        ("mlserver", {"outputs": [{"name": "predict", "shape": [1, 1], "datatype": "INT64", "data": [-1]}]}),
        ("mlflow", {"predictions": [-1]}),
        ("ours_bare_route", {"is_inlier": 1, "anomaly_score": -0.5}),
    ],
)
def test_right_answers_are_accepted(name, answer):
    """Each server's answer is read in its own way; what it cannot tell is not held against it."""
    assert find_difference(interface_of(name), answer, label=-1, score=-0.7) is None


@pytest.mark.parametrize(
    ("name", "answer", "said"),
    [
        ("ours", {"is_inlier": 1, "anomaly_score": -0.7}, "label 1"),
        ("ours", {"is_inlier": -1, "anomaly_score": -0.7 + 2e-12}, "score"),
        ("ours", {"is_inlier": -1, "anomaly_score": float("nan")}, "score"),
        ("ours", {"is_inlier": -1}, "cannot be read"),
        ("mlserver", {"outputs": []}, "cannot be read"),
        ("mlflow", {"predictions": [1]}, "label 1"),
    ],
)
def test_wrong_answers_are_found(name, answer, said):
    """A fast wrong answer wins nothing."""
    assert said in find_difference(interface_of(name), answer, label=-1, score=-0.7)


@pytest.mark.parametrize("contestant", PEERS, ids=lambda contestant: contestant.name)
def test_bodies_are_one_json_a_line_and_hold_the_row(contestant):
    """The load tool reads a body a line."""
    rows = [ROW, [1e-300, 2.5]]
    lines = body_lines(contestant.interface, rows).splitlines()

    assert [json.loads(line) for line in lines] == [contestant.interface.body(row) for row in rows]
    assert "0.56, 0.23" in lines[0]
