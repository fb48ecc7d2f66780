"""Restarts the recorder whenever it ends: ``python -m app.recorder.supervisor LISTENER RUN``.

Gunicorn cannot do this itself: it silently reaps children that are not workers. ``LISTENER`` is the file descriptor of
the socket that workers connect to; it stays open here, so that workers do not notice a new recorder and what they send
meanwhile is not lost. ``RUN`` is the number of this supervisor. Standard input is the shutdown pipe.
"""

from __future__ import annotations

import logging.config
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from app.metrics.directory import folder_of_workers
from app.recorder.process import ignore_stop_signals
from app.server.log_config import log_configuration
from app.settings import Settings

if TYPE_CHECKING:
    from app.metrics.multiprocess import MetricsArchive

log = logging.getLogger("app.recorder.supervisor")

# The first restart is immediate to a human eye; the pause then doubles each time, so that a recorder which cannot run
# takes little processor time from the service. It stays short: workers keep rows for some seconds only.
_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS = 0.5, 5.0

# A process that ran this long did not crash at its start: the next pause is a first one again.
_HEALTHY_AFTER_SECONDS = 60.0

# To read full queues and to write the state.
_SHUTDOWN_SECONDS = 5.0

# One row's matrix product is too small for threads, and those of a linear algebra library take the workers' time.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Supervisor:
    """Keeps one process running until the service ends.

    Parameters
    ----------
    command
        Returns the command that starts the process, given the number of the start, counted from 1.
    on_ended
        Called with that number when the process has ended before the service.
    shutdown_pipe
        File descriptor that becomes readable when the service has ended; the process gets it as standard input.
    inherited
        File descriptors that the process inherits.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        on_ended: Callable[[int], None],
        shutdown_pipe: int,
        inherited: Sequence[int] = (),
    ) -> None:
        self._command, self._on_ended = command, on_ended
        self._shutdown_pipe, self._inherited = shutdown_pipe, inherited

    def run(self) -> None:
        """Run the process until the service has ended, then return."""
        number, pause = 0, _FIRST_PAUSE_SECONDS
        while True:
            number += 1
            started = time.monotonic()
            outcome = self._run_once(number)
            if outcome is None:
                return
            self._on_ended(number)
            if time.monotonic() - started >= _HEALTHY_AFTER_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            log.error("the recorder ended (%s): it is restarted in %s s", outcome, pause)
            if self._service_ends_within(pause):
                return
            pause = min(2 * pause, _MAX_PAUSE_SECONDS)

    def _run_once(self, number: int) -> str | None:
        """Run the process to its end and return how it ended; None if the service ended first."""
        try:
            # The process writes nothing to its output: the end of that pipe is the end of the process.
            process = subprocess.Popen(
                self._command(number),
                stdin=self._shutdown_pipe,
                stdout=subprocess.PIPE,
                pass_fds=self._inherited,
                env=os.environ | _ONE_THREAD,
            )
        except OSError as error:  # too many processes, or too little memory
            return str(error)
        with process:
            assert process.stdout is not None
            if self._shutdown_pipe not in _wait([self._shutdown_pipe, process.stdout.fileno()]):
                return f"exit status {process.wait()}"
            try:
                process.wait(_SHUTDOWN_SECONDS)
            except subprocess.TimeoutExpired:
                log.error("the recorder did not end within %s s and is killed", _SHUTDOWN_SECONDS)
                process.kill()
            return None

    def _service_ends_within(self, seconds: float) -> bool:
        """Wait, but not beyond the end of the service."""
        return bool(_wait([self._shutdown_pipe], seconds))


def _wait(pipes: Sequence[int], seconds: float | None = None) -> set[int]:
    """Wait until a pipe is closed, at most ``seconds``; return those that are."""
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        return {key.fd for key, _ in selector.select(seconds)}


def main(listener: int, run: str) -> None:
    """Supervise the recorder of a service."""
    ignore_stop_signals()
    settings = Settings.from_environ()
    logging.config.dictConfig(log_configuration(settings.logs_as_text(sys.stderr), settings.log_level))
    folder = folder_of_workers()
    assert folder is not None  # set by the arbiter

    archive: MetricsArchive | None = None

    def name(number: int) -> str:
        return f"recorder{run}.{number}"

    def fold(number: int) -> None:
        # Imported late: it takes five megabytes, and most supervisors never need it.
        from app.metrics.multiprocess import MetricsArchive

        # One for all ends: it repeats what was postponed.
        nonlocal archive
        if archive is None:
            archive = MetricsArchive(folder)
            archive.retry_by_alarm()
        archive.fold(name(number))

    Supervisor(
        command=lambda number: [sys.executable, "-m", "app.recorder", str(listener), name(number)],
        on_ended=fold,
        shutdown_pipe=sys.stdin.fileno(),
        inherited=(listener,),
    ).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
