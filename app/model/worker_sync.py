"""Information about models that the processes of one service share: what was logged, and what is live."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

from app.server.atomic_file import replacing

# In the metrics folder, which the processes share anyway; a new service starts without it.
NOTES_FOLDER = "model-notes"

_LIVE_LINK = "live"


class WorkerSync:
    """Shares information with the other processes through a folder.

    Parameters
    ----------
    folder
        The metrics folder; None if there is only one process.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one, other = WorkerSync(Path(folder)), WorkerSync(Path(folder))
    ...     one.is_first("the model was refused"), other.is_first("the model was refused")
    (True, False)
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder / NOTES_FOLDER if folder else None

    def is_first(self, occasion: str) -> bool:
        """Return whether no process has called this for the same occasion before."""
        if self._folder is None:
            return True
        digest = hashlib.sha256(occasion.encode()).hexdigest()
        try:
            self._folder.mkdir(exist_ok=True)
            # Creating a file is atomic: of two processes, only one can have created it.
            (self._folder / digest).touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:  # better logged by each process than by none
            return True
        return True

    def record_live(self, bundle: Path) -> None:
        """Record which bundle is live; if the link cannot be written, workers that start later do without."""
        if self._folder is None:
            return
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            with replacing(self._folder / _LIVE_LINK, durable=False) as new_link:
                new_link.symlink_to(bundle)

    def read_live(self) -> Path | None:
        """Return the bundle that was last recorded as live, if any."""
        if self._folder is None:
            return None
        try:
            return (self._folder / _LIVE_LINK).readlink()
        except OSError:
            return None


def clear_worker_sync(folder: Path) -> None:
    """Remove the information of an earlier service."""
    shutil.rmtree(folder / NOTES_FOLDER, ignore_errors=True)
