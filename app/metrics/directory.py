"""The folder in which workers share their metrics: one file per worker and kind of metric.

``claim`` is called by the process that starts the workers, before any of them imports ``prometheus_client``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from app.errors import MetricsFolderTaken
from app.model.worker_sync import clear_worker_sync

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_LOCK_FILE = "owner.lock"

_PREFIX = "isowatch-metrics-"

# A folder is made and locked within milliseconds; one this old without a lock belongs to nobody.
_ABANDONED_AFTER_SECONDS = 60

# Where Linux keeps files in memory: metrics are written with every request and need not outlive the service.
_MEMORY_FOLDER = Path("/dev/shm")


class MetricsFolder:
    """A metrics folder that belongs to this service until it ends, however it ends.

    Parameters
    ----------
    path
        The folder, which exists.
    lock
        File descriptor of the lock that makes it ours; the kernel gives it up when the last process that
        inherited it has ended.
    made_here
        Whether it was made for this run, so that nobody minds if it is removed at the end.
    """

    def __init__(self, path: Path, lock: int, made_here: bool) -> None:
        self.path, self._lock, self._made_here = path, lock, made_here

    @classmethod
    def claim(cls, folder: str) -> MetricsFolder:
        """Make the folder ours, and empty.

        Parameters
        ----------
        folder
            Where it shall be; empty for a new one in memory.

        Raises
        ------
        MetricsFolderTaken
            If another live service has it: two services that share one would add up each other's numbers.
        """
        if folder:
            path = Path(folder)
            path.mkdir(parents=True, exist_ok=True)
        else:
            _remove_abandoned_folders()
            path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_memory_folder()))
        lock = _try_to_lock(path)
        if lock is None:
            raise MetricsFolderTaken(
                f"{FOLDER_VARIABLE}={folder!r} belongs to another running service: name another folder."
            )
        for file in path.glob("*.db"):
            file.unlink()
        clear_worker_sync(path)
        return cls(path, lock, made_here=not folder)

    def release(self) -> None:
        """Give the folder up; one that was made for this run is removed."""
        if self._made_here:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def folder_of_workers(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Name the metrics folder; None where a single process keeps its numbers in its own memory."""
    folder = environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None


def _memory_folder() -> Path:
    """Name the folder for files in memory, or the usual place of temporary files where there is none."""
    return _MEMORY_FOLDER if os.access(_MEMORY_FOLDER, os.W_OK) else Path(tempfile.gettempdir())


def _try_to_lock(folder: Path) -> int | None:
    """Lock a folder and give the lock's file descriptor; None if somebody else holds it."""
    lock = os.open(folder / _LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _remove_abandoned_folders() -> None:
    """Remove the folders of services that were killed before they could do it; they would fill the memory."""
    for folder in _memory_folder().glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < _ABANDONED_AFTER_SECONDS:
                continue
            lock = _try_to_lock(folder)
        except OSError:  # another user's, or just being removed
            continue
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
