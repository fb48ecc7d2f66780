"""The whole drill, with the real programs."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from loadtest.drill.programs import ROOT
from loadtest.drill.results import summary

# More than a drill takes, so that a late alert shows in the table instead of a timeout.
DRILL_SECONDS = 15 * 60

# Startup takes a minute on a busy machine, stopping a few seconds per program.
START_SECONDS, END_SECONDS = 180, 120


def command(*options: str) -> list[str]:
    """Return the command line."""
    return [sys.executable, "-m", "loadtest.drill", *options]


@pytest.mark.system
@pytest.mark.long
@pytest.mark.timeout(DRILL_SECONDS + 60)
def test_every_alert_fires_is_delivered_and_is_resolved(require_program):
    """All alerts pass, alerts that are not driven show the reason, and the exit code is 0."""
    for program in ("prometheus", "alertmanager"):
        require_program(program)
    done = subprocess.run(command(), cwd=ROOT, capture_output=True, text=True, timeout=DRILL_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith(summary([], 0).split(":")[0])
    assert "FAILED" not in done.stdout
    assert done.stdout.count("not driven") >= 3


@pytest.mark.system
@pytest.mark.long
@pytest.mark.timeout(START_SECONDS + END_SECONDS + 60)
def test_a_terminated_drill_stops_everything_it_started(require_program, tmp_path: Path):
    """SIGTERM in the middle of a phase leaves no process behind, not even a stopped one."""
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
        (("--alert", "NoSuchAlert"), "Unknown alert NoSuchAlert: see monitoring/runbook.md for all alerts."),
        (("--keep", "."), ". already exists: give a new folder with --keep DIR."),
    ],
)
def test_invalid_options_are_rejected_with_one_line(options, message):
    """Nothing is started, and the exit code is 2."""
    done = subprocess.run(command(*options), cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (2, f"isowatch: {message}\n")
