"""Which models' metrics are shown: a retired one leaves the exposition after a day.

Counters in files cannot be removed, so scrapes leave them out, and the arbiter drops them from the archive once no live
worker has them. If the model comes back later, they start at 0, which ``rate`` and ``increase`` handle like a restart.
While a worker still has them, the archive keeps its part, so they continue where they were: a lower value that is not 0
would be counted twice.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

# Long enough to compare a new model with the one before it at the same hour.
_SHOWN_SECONDS = 86_400.0

# With more, a service that gets a new model every few minutes would have an ever larger exposition.
_MAX_SHOWN = 20

_FOLDER = "live-versions"

# Makes a file name of any version, also of "..".
_PREFIX = "version-"


def mark_live(folder: Path | None, version: str | None) -> None:
    """Record in the metrics folder that a model is live now; without a folder or a model, do nothing."""
    if folder is None or version is None:
        return
    with suppress(OSError):  # then it is shown for as long as the service runs
        (folder / _FOLDER).mkdir(exist_ok=True)
        _mark(folder, version).touch()


def hidden_versions(folder: Path) -> frozenset[str]:
    """Return the models that were last live more than a day ago, or before the twenty most recent ones.

    Examples
    --------
    >>> import os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for number in range(22):
    ...         mark_live(Path(folder), f"v{number}")
    ...         os.utime(_mark(Path(folder), f"v{number}"), (time.time(), time.time() - 60 * number))
    ...     sorted(hidden_versions(Path(folder)))
    ['v20', 'v21']
    """
    marks: list[tuple[float, str]] = []
    with suppress(FileNotFoundError):
        for mark in (folder / _FOLDER).iterdir():
            with suppress(FileNotFoundError):  # the arbiter has just dropped it
                marks.append((mark.stat().st_mtime, unquote(mark.name.removeprefix(_PREFIX))))
    oldest_shown = time.time() - _SHOWN_SECONDS
    marks.sort(reverse=True)
    return frozenset(
        version for place, (last, version) in enumerate(marks) if place >= _MAX_SHOWN or last < oldest_shown
    )


def clear_marks(folder: Path) -> None:
    """Remove the marks of an earlier service."""
    shutil.rmtree(folder / _FOLDER, ignore_errors=True)


def _mark(folder: Path, version: str) -> Path:
    """Return the file whose time says when a version was last live; a version may contain any character."""
    return folder / _FOLDER / f"{_PREFIX}{quote(version, safe='')}"
