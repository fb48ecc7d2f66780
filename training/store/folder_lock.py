"""One process at a time in a folder, and files that have reached the disk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.console import announce


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's own lock: no lock file is left behind, and a holder that dies frees it.

    Whoever has to wait is told so.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            announce(f"Waiting for another process that is changing {folder}")
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def flush(path: Path) -> None:
    """Wait until a file or folder has reached the disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
