"""The whole drill, with the real programs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from loadtest.drill.lines import verdict
from loadtest.drill.programs import ROOT

# The drill itself is meant to take less than this; the test's limit is above it, to see which alert was late.
DRILL_SECONDS = 15 * 60

# Starting takes a minute on a busy machine, ending a few seconds for each program.
START_SECONDS, END_SECONDS = 180, 120


def command(*options: str) -> list[str]:
    """Put the command together."""
    return [sys.executable, "-m", "loadtest.drill", *options]


@pytest.mark.system
@pytest.mark.long
@pytest.mark.timeout(DRILL_SECONDS + 60)
def test_every_alert_fires_is_told_and_ends(require_program):
    """All lines pass, those that are not driven say why, and the exit code is 0."""
    for program in ("prometheus", "alertmanager"):
        require_program(program)
    done = subprocess.run(command(), cwd=ROOT, capture_output=True, text=True, timeout=DRILL_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(verdict([]).split(":")[0])
    assert "FAILED" not in done.stdout
    assert done.stdout.count("not driven") >= 3


@pytest.mark.system
@pytest.mark.long
@pytest.mark.timeout(START_SECONDS + END_SECONDS + 60)
def test_a_drill_that_is_ended_ends_all_that_it_started(require_program, tmp_path: Path):
    """In the middle of a phase SIGTERM leaves no process behind, not even one that the drill has stopped."""
    for program in ("prometheus", "alertmanager"):
        require_program(program)
    options = ("--alert", "ServiceDown", "--keep", str(tmp_path / "drill"))
    drill = subprocess.Popen(command(*options), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        for line in drill.stdout:
            if line.startswith("Phase"):
                break
        started = psutil.Process(drill.pid).children(recursive=True)
        assert len(started) > 10
        drill.send_signal(signal.SIGTERM)
        drill.stdout.read()
        assert drill.wait(END_SECONDS) == 130
        assert [process for process in started if process.is_running()] == []
    finally:
        drill.kill()
        drill.wait()
        drill.stdout.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--alert", "NoSuchAlert"), "There is no alert NoSuchAlert: monitoring/runbook.md names all."),
        (("--keep", "."), ". is there: name a new folder with --keep DIR."),
    ],
)
def test_what_cannot_be_drilled_is_refused_in_one_sentence(options, message):
    """Nothing is started, and the exit code is 2."""
    done = subprocess.run(command(*options), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, f"isowatch: {message}\n")
