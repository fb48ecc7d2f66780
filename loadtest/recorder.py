"""Records what Locust measures, apart from Locust's own table: without the warm-up, and over all processes.

Locust's table, its CSV files and its page show the whole run, warm-up included, with times in whole milliseconds.
"""

from __future__ import annotations

import time
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtest.figures import Figures

# What a worker's figures are called among the messages to the master, and in its regular reports.
FIGURES = "isowatch_figures"


class Recorder:
    """The figures of one process, and on a master those of its workers.

    Parameters
    ----------
    environment
        Whose requests are recorded.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.figures = Figures()
        self._reported = Figures()
        self._measured_from = 0.0
        events = environment.events
        events.request.add_listener(self._record)
        if isinstance(environment.runner, WorkerRunner):
            events.report_to_master.add_listener(self._report)
            events.test_stop.add_listener(self._report_rest)
        elif isinstance(environment.runner, MasterRunner):
            events.worker_report.add_listener(self._add_report)
            environment.runner.register_message(FIGURES, self._add_rest)

    def begin(self, warm_up_seconds: float) -> None:
        """Begin a run; requests that are sent within the warm-up are left out."""
        self.figures, self._reported = Figures(), Figures()
        self._measured_from = time.time() + warm_up_seconds

    def _record(
        self, response_time: float, exception: object = None, start_time: float | None = None, **request: Any
    ) -> None:
        """Count a request of this process."""
        now = time.time()
        if (now if start_time is None else start_time) < self._measured_from:
            return
        answered = getattr(request.get("response"), "status_code", None) != 0
        self.figures.record(response_time, now - self._measured_from, exception is not None, answered)

    def _since_last_report(self) -> dict[str, Any]:
        """Give what the master does not know yet; the time counts from the beginning, so that the longest is right."""
        fresh = self.figures.since(self._reported)
        fresh.seconds = self.figures.seconds
        self._reported = self.figures.copy()
        return fresh.to_message()

    def _report(self, client_id: str, data: dict[str, Any]) -> None:
        """Add this worker's figures to its regular report."""
        data[FIGURES] = self._since_last_report()

    def _report_rest(self, **_: Any) -> None:
        """Send the rest at the end of a run: the next regular report would come after the verdict."""
        assert self.environment.runner is not None
        self.environment.runner.send_message(FIGURES, self._since_last_report())

    def _add_report(self, client_id: str, data: dict[str, Any]) -> None:
        """Take a worker's regular report."""
        if FIGURES in data:
            self.figures.add(Figures.from_message(data[FIGURES]))

    def _add_rest(self, msg: Any, **_: Any) -> None:
        """Take a worker's last figures."""
        self.figures.add(Figures.from_message(msg.data))
