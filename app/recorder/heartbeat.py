"""How others see that the recorder lives: it touches a file in the metrics folder once a second."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

_FILE = "recorder.heartbeat"

# A recorder that is busy with a new model or waits for a disk misses a few beats.
_SILENT_AFTER_SECONDS = 5.0


def beat(folder: Path) -> None:
    """Say that this recorder lives; a full folder is no reason to end."""
    with suppress(OSError):
        (folder / _FILE).touch()


def beats(folder: Path) -> bool:
    """Tell whether a recorder said within the last seconds that it lives; one that was stopped does not."""
    try:
        last = (folder / _FILE).stat().st_mtime
    except OSError:
        return False
    return time.time() - last < _SILENT_AFTER_SECONDS
