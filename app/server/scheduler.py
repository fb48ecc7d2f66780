"""What a process does every so many seconds beside answering: look for a new model, measure itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass
class _Job:
    """Something to do, and when it is due next."""

    run: Callable[[], None]
    every_seconds: float
    due: float


class PeriodicJobs:
    """One daemon thread that runs each job when it is due.

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
        """Add a job before the start; what it raises is logged, and it is run again when due.

        Parameters
        ----------
        run
            The job.
        every_seconds
            Its period.
        first_seconds
            When to run it first; by default after one period.
        """
        first_seconds = every_seconds if first_seconds is None else first_seconds
        self._jobs.append(_Job(run, every_seconds, time.monotonic() + first_seconds))

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, patience_seconds: float | None = None) -> None:
        """End after the job that is running, if one is; with patience, wait no longer than that for it."""
        self._stopping.set()
        self._thread.join(patience_seconds)

    def _run(self) -> None:
        """Run what is due until stopped."""
        while not self._stopping.wait(max(0, min(job.due for job in self._jobs) - time.monotonic())):
            for job in self._jobs:
                if time.monotonic() < job.due:
                    continue
                try:
                    job.run()
                except Exception:
                    log.exception("a periodic job failed; it will be tried again in %s s", job.every_seconds)
                job.due = time.monotonic() + job.every_seconds
