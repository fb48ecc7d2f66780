"""Starts the recorder again whenever it ends: ``python -m app.recorder.supervisor DOOR RUN``.

Gunicorn cannot do this itself: it reaps children that are no workers without a word. ``DOOR`` is the file descriptor of
the socket that workers connect to; it stays open here, so that workers need not notice a new recorder, and what they
send meanwhile waits. ``RUN`` tells this supervisor from those before it. Standard input is the lifeline.
"""

from __future__ import annotations

import logging.config
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from app.metrics.directory import folder_of_workers
from app.recorder.process import ignore_stop_signals
from app.server.log_config import log_configuration
from app.settings import Settings

log = logging.getLogger("app.recorder.supervisor")

# The first restart is at once for whoever watches; each further one comes after twice the time, so that a recorder
# which cannot run takes next to no processor time from the service.
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 60.0

# Who lived so long has not crashed at its start: the next restart is a first one again.
_HEALTHY_AFTER_SECONDS = 60.0

# To read full queues and to write the state.
_ENDING_SECONDS = 5.0

# One row's matrix product is too small for threads, and those of a linear algebra library take the workers' time.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Supervisor:
    """Keeps one process running until the service ends.

    Parameters
    ----------
    command
        Gives the command that starts the process, from the number of the start, counted from 1.
    on_ended
        Called with that number when the process has ended before the service.
    lifeline
        File descriptor that becomes readable when the service has ended; the process gets it as standard input.
    inherited
        Other file descriptors that the process gets.
    """

    def __init__(
        self,
        command: Callable[[int], Sequence[str]],
        on_ended: Callable[[int], None],
        lifeline: int,
        inherited: Sequence[int] = (),
    ) -> None:
        self._command, self._on_ended, self._lifeline, self._inherited = command, on_ended, lifeline, inherited

    def run(self) -> None:
        """Return when the service has ended, and the process with it."""
        number, pause = 0, _FIRST_PAUSE_SECONDS
        while True:
            number += 1
            begun = time.monotonic()
            how = self._run_once(number)
            if how is None:
                return
            self._on_ended(number)
            if time.monotonic() - begun >= _HEALTHY_AFTER_SECONDS:
                pause = _FIRST_PAUSE_SECONDS
            log.error("the recorder ended (%s): it is started again in %s s", how, pause)
            if self._service_ends_within(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _run_once(self, number: int) -> str | None:
        """Run the process to its end, and say how it ended; None if the service ended first."""
        try:
            # Nothing is written to its output: the end of the pipe is the end of the process.
            process = subprocess.Popen(
                self._command(number),
                stdin=self._lifeline,
                stdout=subprocess.PIPE,
                pass_fds=self._inherited,
                env=os.environ | _ONE_THREAD,
            )
        except OSError as error:  # too many processes, or too little memory
            return str(error)
        with process:
            assert process.stdout is not None
            if self._lifeline not in _wait([self._lifeline, process.stdout.fileno()]):
                return f"exit status {process.wait()}"
            try:
                process.wait(_ENDING_SECONDS)
            except subprocess.TimeoutExpired:
                log.error("the recorder did not end within %s s and is killed", _ENDING_SECONDS)
                process.kill()
            return None

    def _service_ends_within(self, seconds: float) -> bool:
        """Wait, but not longer than the service lives."""
        return bool(_wait([self._lifeline], seconds))


def _wait(pipes: Sequence[int], seconds: float | None = None) -> set[int]:
    """Wait until one of some pipes has ended, or not longer than that; give those that have."""
    with selectors.DefaultSelector() as selector:
        for pipe in pipes:
            selector.register(pipe, selectors.EVENT_READ)
        return {key.fd for key, _ in selector.select(seconds)}


def main(door: int, run: str) -> None:
    """Supervise the recorder of a service."""
    ignore_stop_signals()
    settings = Settings.from_environ()
    logging.config.dictConfig(log_configuration(settings.logs_as_text(sys.stderr), settings.log_level))
    folder = folder_of_workers()
    assert folder is not None  # the arbiter has named it

    def name(number: int) -> str:
        return f"recorder{run}.{number}"

    def fold(number: int) -> None:
        # Only now: it takes five megabytes, and most supervisors never need it.
        from app.metrics.multiprocess import MetricsArchive

        # A fold that finds the folder locked is made up for by the arbiter's next one; the gauges are gone at once.
        MetricsArchive(folder).fold(name(number))

    Supervisor(
        command=lambda number: [sys.executable, "-m", "app.recorder", str(door), name(number)],
        on_ended=fold,
        lifeline=sys.stdin.fileno(),
        inherited=(door,),
    ).run()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
