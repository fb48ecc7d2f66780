"""Opening files that somebody else may have put there: only regular files of a limited size."""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path


def open_regular(file: Path, max_bytes: int | None = None) -> BufferedReader:
    """Open a regular file for reading.

    Opening a named pipe would wait for a writer, and a device such as ``/dev/zero`` never ends. A link to a regular
    file is followed: mounted volumes and caches of models consist of links.

    Parameters
    ----------
    file
        What to open.
    max_bytes
        The largest size; None for any.

    Raises
    ------
    OSError
        If it cannot be opened.
    ValueError
        If it is not a regular file, or is larger.

    Examples
    --------
    >>> open_regular(Path("/dev/zero"))
    Traceback (most recent call last):
    ValueError: it is not a regular file
    """
    # O_NONBLOCK: opening a pipe returns at once. It has no effect on regular files.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    opened = os.fdopen(descriptor, "rb")
    try:
        # Of the open file, not of the name, which could be replaced in between.
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        if max_bytes is not None and status.st_size > max_bytes:
            raise ValueError(f"it has {status.st_size:,} bytes, at most {max_bytes:,} are read")
    except BaseException:
        opened.close()
        raise
    return opened


def read_regular(file: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file of at most ``max_bytes`` bytes; errors as in :func:`open_regular`."""
    with open_regular(file, max_bytes) as opened:
        return opened.read(max_bytes)
