"""Files that appear whole or not at all: written under another name, then renamed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(target: Path, *, mode: int | None = None, durable: bool = True) -> Iterator[Path]:
    """Yield a path to write to; what is there when the block ends replaces ``target`` in one step.

    Readers see the old content or the new, never a part. If the block raises, the target stays as it was and nothing
    is left behind.

    Parameters
    ----------
    target
        What to replace; its folder exists.
    mode
        Create the file empty, with these permissions less the umask, before the block runs: for content that not
        everybody may read, and to learn early that nothing can be written. By default the block creates what it likes:
        a file, a symbolic link, a socket.
    durable
        Flush the file to disk before the rename, so that a power cut cannot leave an empty one. Turn it off for
        links, sockets and whatever need not survive one.

    Raises
    ------
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder, "report.txt")
    ...     with replacing(target) as unfinished:
    ...         _ = unfinished.write_text("done")
    ...     target.read_text()
    'done'
    """
    # Two processes that write the same target must not share the unfinished file.
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.writing")
    unfinished.unlink(missing_ok=True)
    try:
        if mode is not None:
            os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        yield unfinished
        if durable:
            _flush(unfinished)
        unfinished.replace(target)
    finally:
        # In a folder that cannot be written, there is nothing to remove either.
        with suppress(OSError):
            unfinished.unlink()


def _flush(file: Path) -> None:
    """Wait until a file has reached the disk."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
