"""The supervisor restarts a process with growing pauses, and ends with the service."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.recorder import supervisor
from app.recorder.supervisor import Supervisor

_UNTIL_THE_END = "import sys; sys.stdin.read()"


class _Run:
    """A supervisor that runs in a thread, and the arbiter's end of its shutdown pipe."""

    def __init__(self, programs: list[str]) -> None:
        self.programs = programs
        self.ended: list[int] = []
        self.started: list[int] = []
        self.shutdown_pipe, self.arbiter = os.pipe()
        self.supervisor = Supervisor(self.command, self.ended.append, self.shutdown_pipe)
        self.thread = threading.Thread(target=self.supervisor.run)

    def command(self, number: int) -> list[str]:
        """Return the program of this start; the last one is used for all later starts."""
        self.started.append(number)
        return [sys.executable, "-c", self.programs[min(number, len(self.programs)) - 1]]


@contextmanager
def _running(programs: list[str]) -> Iterator[_Run]:
    """Run a supervisor, and end it as the arbiter does."""
    run = _Run(programs)
    run.thread.start()
    try:
        yield run
    finally:
        os.close(run.arbiter)
        run.thread.join()
        os.close(run.shutdown_pipe)


def _pauses(caplog: pytest.LogCaptureFixture) -> list[float]:
    """Read from the log how long the supervisor waited each time."""
    return [float(record.getMessage().split()[-2]) for record in caplog.records]


def _wait_until(condition) -> None:
    """Poll until a condition holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_process_that_ends_is_restarted(caplog: pytest.LogCaptureFixture):
    """Each end is reported with its number and its exit status."""
    with _running(["raise SystemExit(7)", "import os; os.kill(os.getpid(), 9)", _UNTIL_THE_END]) as run:
        _wait_until(lambda: len(run.started) == 3)
        assert run.ended == [1, 2]

    assert run.started == [1, 2, 3]
    assert "exit status 7" in caplog.text
    assert "exit status -9" in caplog.text


def test_crash_loop_slows_down(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """Each pause is twice the previous one, up to the maximum."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(supervisor, "_MAX_PAUSE_SECONDS", 0.004)
    with _running(["raise SystemExit(1)"]) as run:
        _wait_until(lambda: len(run.ended) >= 4)

    assert _pauses(caplog)[:4] == [0.001, 0.002, 0.004, 0.004]


def test_long_run_resets_the_pause(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """After it, the pause is a first one again."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(supervisor, "_HEALTHY_AFTER_SECONDS", 0.0)
    with _running(["raise SystemExit(1)"]) as run:
        _wait_until(lambda: len(run.ended) >= 3)

    assert set(_pauses(caplog)) == {0.001}


def test_process_that_cannot_be_started_is_retried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """For example, while the machine is out of memory."""
    run = _Run([_UNTIL_THE_END])
    command = run.command
    monkeypatch.setattr(
        run.supervisor,
        "_command",
        lambda number: [str(tmp_path / "gone")] if command(number) and number == 1 else command(number),
    )
    run.thread.start()
    _wait_until(lambda: 2 in run.started)
    os.close(run.arbiter)
    run.thread.join()
    os.close(run.shutdown_pipe)

    assert run.ended == [1]


def test_process_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """The end of the service is not delayed."""
    monkeypatch.setattr(supervisor, "_SHUTDOWN_SECONDS", 0.05)
    with _running(["import time; time.sleep(1000)"]) as run:
        _wait_until(lambda: run.started)

    assert "did not end within" in caplog.text
    assert run.ended == []


def test_service_may_end_during_a_pause(monkeypatch: pytest.MonkeyPatch):
    """Nothing is started for a service that has ended."""
    monkeypatch.setattr(supervisor, "_FIRST_PAUSE_SECONDS", 1000)
    with _running(["raise SystemExit(1)"]) as run:
        _wait_until(lambda: run.ended)

    assert run.started == [1]
