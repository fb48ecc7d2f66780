"""The arbiter's side: starts and stops the supervisor and the recorder. Workers inherit it, so it imports little.

A shutdown pipe signals the end of the service to both processes: it is their standard input, and the arbiter holds its
only write end and never writes. When the arbiter ends, even if it is killed, the kernel closes the pipe.
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

log = logging.getLogger(__name__)

# Sent to all processes of a terminal or of a systemd unit although only the arbiter is meant to act.
_SIGNALS_FOR_THE_ARBITER = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)

# More than the supervisor grants the recorder.
_SHUTDOWN_SECONDS = 8.0

_POLL_SECONDS = 0.02


def ignore_stop_signals() -> None:
    """Ignore the signals that the arbiter handles: workers still finish requests, whose rows are to be recorded."""
    for number in _SIGNALS_FOR_THE_ARBITER:
        signal.signal(number, signal.SIG_IGN)


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
        # The write end of the shutdown pipe.
        self._shutdown_pipe: int | None = None
        self._runs = 0

    def ensure_running(self) -> None:
        """Start both unless the supervisor runs; a recorder that lost its supervisor ends first."""
        if self._supervisor is not None and _is_running(self._supervisor):
            return
        if self._supervisor is not None:
            log.error("the supervisor of the recorder has died and is restarted")
        self._close_shutdown_pipe()
        try:
            self._start()
        except OSError as error:
            log.error("the recorder cannot be started: %s; predictions are answered without it", error)

    def close_in_worker(self) -> None:
        """Close the worker's copy of the shutdown pipe, so that the arbiter alone holds it."""
        self._close_shutdown_pipe()

    def stop(self) -> None:
        """Stop both, and wait until they have written what they hold."""
        self._close_shutdown_pipe()
        if self._supervisor is None:
            return
        deadline = time.monotonic() + _SHUTDOWN_SECONDS
        while _is_running(self._supervisor):
            if time.monotonic() > deadline:
                log.error("the supervisor of the recorder did not end within %s s and is killed", _SHUTDOWN_SECONDS)
                os.kill(self._supervisor, signal.SIGKILL)
                os.waitpid(self._supervisor, 0)
                return
            time.sleep(_POLL_SECONDS)

    def _start(self) -> None:
        """Start the supervisor, which starts the recorder."""
        self._runs += 1
        read_end, write_end = os.pipe()
        try:
            with listen(self._folder) as listener:
                # A program of its own instead of a fork of the arbiter: it inherits neither the port of the service
                # nor the arbiter's signal handlers.
                process = subprocess.Popen(
                    [sys.executable, "-m", "app.recorder.supervisor", str(listener.fileno()), str(self._runs)],
                    stdin=read_end,
                    pass_fds=(listener.fileno(),),
                )
        except OSError:
            os.close(write_end)
            raise
        finally:
            os.close(read_end)
        self._supervisor, self._shutdown_pipe = process.pid, write_end
        # The arbiter reaps all its children itself, so Popen has nothing to wait for, nor to warn about.
        process.returncode = 0

    def _close_shutdown_pipe(self) -> None:
        """Close this process's end of the shutdown pipe."""
        if self._shutdown_pipe is not None:
            os.close(self._shutdown_pipe)
            self._shutdown_pipe = None


def _is_running(child: int) -> bool:
    """Return whether a child of this process runs; the arbiter may have reaped it."""
    try:
        reaped, _ = os.waitpid(child, os.WNOHANG)
    except ChildProcessError:
        return False
    return reaped == 0
