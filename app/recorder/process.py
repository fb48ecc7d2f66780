"""The arbiter's side: starts supervisor and recorder, and ends them. It imports little, since workers inherit it.

How the processes behind the workers learn that the service has ended: a pipe from the arbiter comes to its end.

The arbiter holds the only end that could be written to and never writes, so the kernel ends the pipe when the arbiter
ends, even if it was killed. Both the supervisor and the recorder have the other end as their standard input.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.recorder.listener import listen

# Sent to all processes of a terminal or of a systemd unit when only the arbiter is meant to act.
_MEANT_FOR_THE_ARBITER = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def ignore_stop_signals() -> None:
    """Ignore the signals that the arbiter answers: workers still finish requests, whose rows are to be recorded."""
    for number in _MEANT_FOR_THE_ARBITER:
        signal.signal(number, signal.SIG_IGN)


log = logging.getLogger(__name__)

# Above what the supervisor gives the recorder.
_ENDING_SECONDS = 8.0

_LOOK_SECONDS = 0.02


class RecorderProcesses:
    """Supervisor and recorder of one service.

    Parameters
    ----------
    folder
        The metrics folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._supervisor: int | None = None
        # The end of a pipe that the supervisor and the recorder have the other end of.
        self._lifeline: int | None = None
        self._runs = 0

    def keep(self) -> None:
        """Start both if there is no supervisor; a recorder that lost its supervisor ends first."""
        if self._supervisor is not None and _lives(self._supervisor):
            return
        if self._supervisor is not None:
            log.error("the supervisor of the recorder has gone and is started again")
        self._cut_lifeline()
        try:
            self._start()
        except OSError as error:
            log.error("the recorder cannot be started: %s; predictions are answered without it", error)

    def forget_in_worker(self) -> None:
        """Close the worker's copy of the lifeline, so that the arbiter alone holds it."""
        self._cut_lifeline()

    def stop(self) -> None:
        """End both, and wait until they have written what they know."""
        self._cut_lifeline()
        if self._supervisor is None:
            return
        deadline = time.monotonic() + _ENDING_SECONDS
        while _lives(self._supervisor):
            if time.monotonic() > deadline:
                log.error("the supervisor of the recorder did not end within %s s and is killed", _ENDING_SECONDS)
                os.kill(self._supervisor, signal.SIGKILL)
                os.waitpid(self._supervisor, 0)
                return
            time.sleep(_LOOK_SECONDS)

    def _start(self) -> None:
        """Start the supervisor, which starts the recorder."""
        self._runs += 1
        end, lifeline = os.pipe()
        try:
            with listen(self._folder) as door:
                # A program of its own instead of a fork of the arbiter: it has neither the port that the service
                # listens on nor the arbiter's handlers of signals.
                process = subprocess.Popen(
                    [sys.executable, "-m", "app.recorder.supervisor", str(door.fileno()), str(self._runs)],
                    stdin=end,
                    pass_fds=(door.fileno(),),
                )
        except OSError:
            os.close(lifeline)
            raise
        finally:
            os.close(end)
        self._supervisor, self._lifeline = process.pid, lifeline
        # The arbiter reaps all its children itself, so Popen has nothing to wait for, nor to warn of.
        process.returncode = 0

    def _cut_lifeline(self) -> None:
        """Close this process's end of the lifeline."""
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None


def _lives(child: int) -> bool:
    """Tell whether a child of this process lives; the arbiter may have reaped it."""
    try:
        reaped, _ = os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return False
    return reaped == 0
