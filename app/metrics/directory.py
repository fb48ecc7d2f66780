"""The folder through which workers share their metrics: one file per worker and kind of metric.

The process that starts the workers claims it before any of them imports ``prometheus_client``.
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
from app.metrics.live_versions import clear_marks
from app.model.worker_sync import clear_worker_sync

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

# An empty file beside each metrics file that got no space; a full folder still has room for it.
OUT_OF_SPACE_SUFFIX = ".outofspace"

_LOCK_FILE = "owner.lock"

_PREFIX = "isowatch-metrics-"

# A folder is created and locked within milliseconds; one that is older and has no lock belongs to nobody.
_ABANDONED_AFTER_SECONDS = 60

# Workers whose arbiter was killed hold its lock until they notice, within a second, and have answered the requests in
# progress. A restart waits for them so long; most answers take milliseconds.
_ORPHANS_SECONDS, _POLL_SECONDS = 5.0, 0.05

# Linux keeps these files in memory: metrics are written with every request and need not outlive the service.
_MEMORY_FOLDER = Path("/dev/shm")


class MetricsFolder:
    """A metrics folder that belongs to this service until the service ends, even if it is killed.

    Parameters
    ----------
    path
        The folder, which exists.
    lock
        File descriptor of the lock that makes it ours; the kernel releases the lock when the last process that
        inherited it has ended.
    is_temporary
        Whether it was created for this run, and is removed at the end.
    """

    def __init__(self, path: Path, lock: int, is_temporary: bool) -> None:
        self.path, self._lock, self._is_temporary = path, lock, is_temporary

    @classmethod
    def claim(cls, folder: str) -> MetricsFolder:
        """Claim a folder and empty it; wait a moment for the workers of a service that was just killed.

        Parameters
        ----------
        folder
            The folder; empty for a new one in memory.

        Raises
        ------
        MetricsFolderTaken
            If it belongs to another live service: two services that share one would add up each other's metrics.
        """
        if folder:
            path = Path(folder)
            path.mkdir(parents=True, exist_ok=True)
        else:
            _remove_abandoned_folders()
            path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_memory_folder()))
        deadline = time.monotonic() + _ORPHANS_SECONDS
        while (lock := _try_to_lock(path)) is None:
            if time.monotonic() >= deadline:
                raise MetricsFolderTaken(
                    f"{FOLDER_VARIABLE}={folder!r} belongs to another running service: name another folder. If that "
                    "service was killed, its last workers are still answering: start again when they have ended."
                )
            time.sleep(_POLL_SECONDS)
        for pattern in ("*.db", f"*{OUT_OF_SPACE_SUFFIX}"):
            for file in path.glob(pattern):
                file.unlink()
        clear_worker_sync(path)
        clear_marks(path)
        return cls(path, lock, is_temporary=not folder)

    def release(self) -> None:
        """Release the folder, and remove it if it was created for this run."""
        if self._is_temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def folder_of_workers(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the metrics folder, or None in a single process that keeps its metrics in its own memory."""
    folder = environ.get(FOLDER_VARIABLE)
    return Path(folder) if folder else None


def _memory_folder() -> Path:
    """Return the folder for files in memory, or the usual folder for temporary files if there is none."""
    return _MEMORY_FOLDER if os.access(_MEMORY_FOLDER, os.W_OK) else Path(tempfile.gettempdir())


def _try_to_lock(folder: Path) -> int | None:
    """Lock a folder and return the lock's file descriptor, or None if another process holds it."""
    lock = os.open(folder / _LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _remove_abandoned_folders() -> None:
    """Remove the folders of services that were killed before they could do it; they would fill up memory."""
    for folder in _memory_folder().glob(f"{_PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < _ABANDONED_AFTER_SECONDS:
                continue
            lock = _try_to_lock(folder)
        except OSError:  # another user's folder, or one that is being removed
            continue
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
