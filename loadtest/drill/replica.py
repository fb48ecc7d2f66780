"""A Gunicorn with the service, and the signals that make it fail."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil

from loadtest.drill.programs import HOST, RunningProgram, answers, environment, free_port, signal_all, wait_until

# Settings for the drill only: a stopped worker must not be replaced while its cause lasts, and batches must be large
# enough to be slow.
_SETTINGS = {
    "WORKER_TIMEOUT": "600",
    "MAX_BATCH_ROWS": "1000000",
    "MAX_BATCH_BODY_BYTES": "100000000",
    "LOG_REQUESTS": "false",
    # All rows of a drill may be labelled.
    "AUDIT_SHARE": "1",
}

# Modules that identify these processes by their command line.
_RECORDER, _SUPERVISOR = "app.recorder", "app.recorder.supervisor"


class Replica:
    """A monitored service.

    Parameters
    ----------
    title
        Its name in messages and file names.
    folder
        Folder for its log, state and records.
    models
        Folder of its models.
    workers
        Number of workers.
    records_rows
        Whether its recorder stores rows, in addition to running the drift detectors.
    """

    def __init__(self, title: str, folder: Path, models: Path, workers: int, records_rows: bool = True) -> None:
        self._title, self._folder, self._models, self._workers = title, folder, models, workers
        self._recorded = "all" if records_rows else "off"
        self.address = f"{HOST}:{free_port()}"
        self.records = folder / f"{title}-records" / "records.db"
        self._program: RunningProgram | None = None

    def start(self, until: str = "/readyz") -> None:
        """Start it and wait until the path ``until`` answers with 200; without a model, use "/healthz"."""
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
        """Stop it."""
        if self._program is not None:
            self._program.end()

    def signal_everything(self, number: signal.Signals) -> None:
        """Send a signal to the arbiter and all its descendants."""
        signal_all(self._running().process_tree(), number)

    def signal_arbiter(self, number: signal.Signals) -> None:
        """Send a signal to the arbiter, such as SIGTTIN or SIGTTOU, which add or remove a worker."""
        self._running().send(number)

    def signal_workers(self, number: signal.Signals) -> None:
        """Send a signal to the workers only."""
        signal_all(
            [process for process in self._running().process_tree()[1:] if not _has_word(process, _RECORDER)], number
        )

    def signal_recorder(self, number: signal.Signals) -> None:
        """Send a signal to the recorder, not to its supervisor."""
        signal_all(
            [
                process
                for process in self._running().process_tree()[1:]
                if _has_word(process, _RECORDER) and not _has_word(process, _SUPERVISOR)
            ],
            number,
        )

    def _running(self) -> RunningProgram:
        """Return the program that was started."""
        assert self._program is not None, "call start() first"
        return self._program

    def _answers(self, path: str) -> bool:
        """Return whether a path answers with 200; raise if the program has exited."""
        self._running().require_alive()
        return answers(self.address, path)


def _has_word(process: psutil.Process, word: str) -> bool:
    """Return whether an argument of a process contains a word; False if it has exited."""
    try:
        return any(word in argument for argument in process.cmdline())
    except psutil.Error:
        return False
