"""What the workers of one service tell each other about models: what was reported, and what is live."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

from app.server.atomic_file import replacing

# Within the folder that the workers share anyway; a new service begins without it.
NOTES_FOLDER = "model-notes"

_LIVE_LINK = "live"


class WorkerSync:
    """Notes of one process that the others find.

    Parameters
    ----------
    folder
        A folder that the processes of the service share; None where there is only one process.

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
        """Tell whether no process has asked about this occasion before."""
        if self._folder is None:
            return True
        digest = hashlib.sha256(occasion.encode()).hexdigest()
        try:
            self._folder.mkdir(exist_ok=True)
            # Making a file is one step: of two processes only one can have made it.
            (self._folder / digest).touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:  # reported by each is better than by none
            return True
        return True

    def note_live(self, bundle: Path) -> None:
        """Remember which bundle is live; without room for a link, workers that start later do without."""
        if self._folder is None:
            return
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            with replacing(self._folder / _LIVE_LINK, durable=False) as new_link:
                new_link.symlink_to(bundle)

    def read_live(self) -> Path | None:
        """Name the bundle that was last noted to be live."""
        if self._folder is None:
            return None
        try:
            return (self._folder / _LIVE_LINK).readlink()
        except OSError:
            return None


def clear_worker_sync(folder: Path) -> None:
    """Remove what an earlier service noted."""
    shutil.rmtree(folder / NOTES_FOLDER, ignore_errors=True)
