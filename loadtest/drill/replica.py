"""One Gunicorn with the service, and the signals that make it ill."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil

from loadtest.drill.programs import HOST, RunningProgram, answers, environment, free_port, signal_all, wait_until

# Test-only settings: a worker that is stopped for the length of a cause is not to be replaced meanwhile, and batches
# may be so large that they are slow.
_SETTINGS = {
    "WORKER_TIMEOUT": "600",
    "MAX_BATCH_ROWS": "1000000",
    "MAX_BATCH_BODY_BYTES": "100000000",
    "LOG_REQUESTS": "false",
}

# What the programs behind the workers have in their command line.
_RECORDER, _SUPERVISOR = "app.recorder", "app.recorder.supervisor"


class Replica:
    """A service that is watched.

    Parameters
    ----------
    title
        Its name in messages and in the name of its log.
    folder
        Takes log and state.
    models
        Where its models lie.
    workers
        How many there are.
    keeps_records
        Whether its recorder writes rows down, besides looking for drift.
    """

    def __init__(self, title: str, folder: Path, models: Path, workers: int, keeps_records: bool = True) -> None:
        self._title, self._folder, self._models, self._workers = title, folder, models, workers
        self._recorded = "all" if keeps_records else "off"
        self.address = f"{HOST}:{free_port()}"
        self.records = folder / f"{title}-records" / "records.db"
        self._program: RunningProgram | None = None

    def start(self, until: str = "/readyz") -> None:
        """Start it and wait for an answer; without a model, ``until`` "/healthz"."""
        variables = _SETTINGS | {
            "BIND": self.address,
            "WEB_CONCURRENCY": str(self._workers),
            "MODEL_DIR": str(self._models),
            "STATE_DIR": str(self._folder / f"{self._title}-state"),
            "DATABASE_URL": f"sqlite:///{self.records}",
            "RECORD_PREDICTIONS": self._recorded,
        }
        self._program = RunningProgram(
            f"service-{self._title}",
            [str(Path(sys.executable).with_name("gunicorn")), "app:create_app()"],
            self._folder / f"service-{self._title}.log",
            environment(**variables),
        )
        wait_until(lambda: self._answers(until), f"{until} of http://{self.address}")

    def end(self) -> None:
        """End it."""
        if self._program is not None:
            self._program.end()

    def signal_everything(self, number: signal.Signals) -> None:
        """Send a signal to the arbiter and all that it started."""
        signal_all(self._running().family(), number)

    def signal_arbiter(self, number: signal.Signals) -> None:
        """Send a signal to the arbiter, which adds or removes a worker for it."""
        self._running().send(number)

    def signal_workers(self, number: signal.Signals) -> None:
        """Send a signal to the workers alone."""
        signal_all([process for process in self._running().family()[1:] if not _has_word(process, _RECORDER)], number)

    def signal_recorder(self, number: signal.Signals) -> None:
        """Send a signal to the recorder, not to its supervisor."""
        signal_all(
            [
                process
                for process in self._running().family()[1:]
                if _has_word(process, _RECORDER) and not _has_word(process, _SUPERVISOR)
            ],
            number,
        )

    def _running(self) -> RunningProgram:
        """Give the program that was started."""
        assert self._program is not None, "start() comes before signals"
        return self._program

    def _answers(self, path: str) -> bool:
        """Tell whether it answers; end the waiting if it cannot any more."""
        self._running().require_alive()
        return answers(self.address, path)


def _has_word(process: psutil.Process, word: str) -> bool:
    """Tell whether a process was started with a word that holds this one; one that has ended was not."""
    try:
        return any(word in argument for argument in process.cmdline())
    except psutil.Error:
        return False
