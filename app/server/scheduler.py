"""Periodic jobs in the background, such as checking for a new model."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass
class _Job:
    """A job and the time of its next run."""

    run: Callable[[], None]
    every_seconds: float
    due: float


class PeriodicJobs:
    """Runs each job when it is due, in one daemon thread.

    Examples
    --------
    >>> import threading
    >>> done = threading.Event()
    >>> jobs = PeriodicJobs()
    >>> jobs.add(done.set, every_seconds=0.01)
    >>> jobs.start()
    >>> done.wait(timeout=10)
    True
    >>> jobs.stop()
    """

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="periodic-jobs", daemon=True)

    def add(self, run: Callable[[], None], every_seconds: float, first_seconds: float | None = None) -> None:
        """Add a job; call this before ``start``. A job that raises is logged, and runs again when it is due.

        Parameters
        ----------
        run
            The job.
        every_seconds
            Its period.
        first_seconds
            When to run it for the first time; by default after one period.
        """
        first_seconds = every_seconds if first_seconds is None else first_seconds
        self._jobs.append(_Job(run, every_seconds, time.monotonic() + first_seconds))

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout_seconds: float | None = None) -> None:
        """Stop after the running job, if any, and wait for it, but no longer than the timeout."""
        self._stopping.set()
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        """Run due jobs until stopped."""
        while not self._stopping.wait(max(0, min(job.due for job in self._jobs) - time.monotonic())):
            for job in self._jobs:
                if time.monotonic() < job.due:
                    continue
                try:
                    job.run()
                except Exception:
                    log.exception("a periodic job failed and runs again in %s s", job.every_seconds)
                job.due = time.monotonic() + job.every_seconds
