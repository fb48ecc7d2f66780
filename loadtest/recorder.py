"""Record measurements separately from Locust's own table: without the warm-up, and merged over all processes.

Locust's table, CSV files and web page include the warm-up and use whole milliseconds.
"""

from __future__ import annotations

import time
from typing import Any

from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtest.measurements import Measurements

# The message type for a worker's final measurements, and their key in its regular reports.
MEASUREMENTS = "isowatch_measurements"


class Recorder:
    """The measurements of this process; on a master, those of its workers.

    Parameters
    ----------
    environment
        The Locust environment whose requests are recorded.
    """

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.measurements = Measurements()
        self._reported = Measurements()
        self._measured_from = 0.0
        events = environment.events
        events.request.add_listener(self._record)
        if isinstance(environment.runner, WorkerRunner):
            events.report_to_master.add_listener(self._report)
            events.test_stop.add_listener(self._report_rest)
        elif isinstance(environment.runner, MasterRunner):
            events.worker_report.add_listener(self._add_report)
            environment.runner.register_message(MEASUREMENTS, self._add_rest)

    def start(self, warm_up_seconds: float) -> None:
        """Start a run; requests sent within the warm-up are ignored."""
        self.measurements, self._reported = Measurements(), Measurements()
        self._measured_from = time.time() + warm_up_seconds

    def _record(
        self, response_time: float, exception: object = None, start_time: float | None = None, **request: Any
    ) -> None:
        """Record a request of this process."""
        now = time.time()
        if (now if start_time is None else start_time) < self._measured_from:
            return
        answered = getattr(request.get("response"), "status_code", None) != 0
        self.measurements.record(response_time, now - self._measured_from, exception is not None, answered)

    def _since_last_report(self) -> dict[str, Any]:
        """Return unreported measurements, with the time since the start of the run: the master takes the maximum."""
        fresh = self.measurements.since(self._reported)
        fresh.seconds = self.measurements.seconds
        self._reported = self.measurements.copy()
        return fresh.to_message()

    def _report(self, client_id: str, data: dict[str, Any]) -> None:
        """Add this worker's measurements to its regular report."""
        data[MEASUREMENTS] = self._since_last_report()

    def _report_rest(self, **_: Any) -> None:
        """Send the rest at the end of a run: the next regular report would arrive after the evaluation."""
        assert self.environment.runner is not None
        self.environment.runner.send_message(MEASUREMENTS, self._since_last_report())

    def _add_report(self, client_id: str, data: dict[str, Any]) -> None:
        """Merge a worker's regular report."""
        if MEASUREMENTS in data:
            self.measurements.add(Measurements.from_message(data[MEASUREMENTS]))

    def _add_rest(self, msg: Any, **_: Any) -> None:
        """Merge a worker's final measurements."""
        self.measurements.add(Measurements.from_message(msg.data))
