"""Where the recorder keeps what a restart needs: in the configured folder, or in memory where that cannot be had."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from pathlib import Path

log = logging.getLogger(__name__)

_LOCK_FILE = "owner.lock"


class StateFolder:
    """The folder for state, once it belongs to this recorder.

    Parameters
    ----------
    wanted
        Where state outlives the service.
    in_memory
        Where it outlives the recorder only: for a folder that cannot be written, or that another service has.
    """

    def __init__(self, wanted: Path, in_memory: Path) -> None:
        self._wanted, self._in_memory = wanted, in_memory
        self._lock: int | None = None
        self._problem = ""
        # A second attempt at the same moment would find the folder taken, by ourselves.
        self._claiming = threading.Lock()

    def file_to_write(self, name: str) -> Path:
        """Say where to write a file. The wanted folder is tried each time: it may be free, or mended, by now."""
        with self._claiming:
            return (self._wanted if self._claim() else self._in_memory) / name

    def file_to_read(self, name: str) -> Path:
        """Say where the newest file is.

        If another service has the folder and this one has written nothing yet, it is the other's: a service that
        replaces another (SIGUSR2) goes on where that stands.
        """
        own = self.file_to_write(name)
        return own if own.exists() else self._wanted / name

    def _claim(self) -> bool:
        """Lock the wanted folder; the kernel gives it back when this process ends, however it ends."""
        if self._lock is not None:
            return True
        try:
            self._wanted.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._wanted / _LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._say(f"{error.strerror}: name a folder that can be written in STATE_DIR")
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            self._say("another service has it: name another folder in STATE_DIR if both are to stay")
            return False
        self._lock, self._problem = lock, ""
        return True

    def _say(self, problem: str) -> None:
        """Log a problem once."""
        if problem != self._problem:
            self._problem = problem
            log.warning(
                "drift is forgotten when the service ends, as state cannot be kept in %s: %s", self._wanted, problem
            )
