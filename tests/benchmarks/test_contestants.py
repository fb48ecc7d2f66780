"""Every listed server can be installed from a lock, started and queried."""

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
    """Return the interface of a server."""
    return choose(name)[0].interface


@pytest.mark.parametrize("contestant", ALL, ids=lambda contestant: contestant.name)
def test_every_contestant_has_its_files(contestant):
    """A valid start script, and the lock files that are installed."""
    script = SERVERS / contestant.folder / "start.sh"

    assert subprocess.run(["sh", "-n", str(script)], check=False).returncode == 0
    assert contestant.locks
    assert all(lock.is_file() for lock in contestant.locks)


def test_names_are_unique():
    """Samples are stored by name."""
    assert len({contestant.name for contestant in ALL}) == len(ALL)


def test_every_server_folder_is_measured():
    """If a server is removed from the list, its folder has to go too."""
    assert {path.parent.name for path in SERVERS.glob("*/start.sh")} == {contestant.folder for contestant in ALL}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.parent.name)
def test_locks_have_hashes_and_no_index_address(lock):
    """Each machine configures its own package index."""
    text = lock.read_text(encoding="utf-8")
    entries = text.replace("\\\n", " ").splitlines()

    assert "://" not in text
    assert re.search(r"index|find-links|trusted-host", text) is None
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ ", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_unknown_name_is_refused_with_those_that_exist(capsys):
    """A mistyped name is answered with the valid ones before anything starts."""
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
def test_correct_answers_are_accepted(name, answer):
    """In the format of each server; a server without scores is checked for labels only."""
    assert find_difference(interface_of(name), answer, label=-1, score=-0.7) is None


@pytest.mark.parametrize(
    ("name", "answer", "message"),
    [
        ("ours", {"is_inlier": 1, "anomaly_score": -0.7}, "label 1"),
        ("ours", {"is_inlier": -1, "anomaly_score": -0.7 + 2e-12}, "score"),
        ("ours", {"is_inlier": -1, "anomaly_score": float("nan")}, "score"),
        ("ours", {"is_inlier": -1}, "cannot be read"),
        ("mlserver", {"outputs": []}, "cannot be read"),
        ("mlflow", {"predictions": [1]}, "label 1"),
    ],
)
def test_wrong_answers_are_detected(name, answer, message):
    """A server must not win with wrong answers."""
    assert message in find_difference(interface_of(name), answer, label=-1, score=-0.7)


@pytest.mark.parametrize("contestant", PEERS, ids=lambda contestant: contestant.name)
def test_each_body_is_one_line_of_json_with_the_row(contestant):
    """The load generator reads one body per line."""
    rows = [ROW, [1e-300, 2.5]]
    lines = body_lines(contestant.interface, rows).splitlines()

    assert [json.loads(line) for line in lines] == [contestant.interface.body(row) for row in rows]
    assert "0.56, 0.23" in lines[0]
