"""Allow one benchmark run at a time on a machine: two would disturb each other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class AnotherRuns(Exception):
    """Another benchmark run is using the machine; the message says what to do."""


@contextmanager
def alone_on_machine(folder: Path | None = None) -> Iterator[None]:
    """Hold the machine's benchmark lock; the kernel releases it when the process ends, in whatever way.

    Parameters
    ----------
    folder
        Folder of the lock file; by default one that all users of the machine share.

    Raises
    ------
    AnotherRuns
        If another process holds the lock.
    """
    file = (folder or Path(tempfile.gettempdir())) / "isowatch-bench.lock"
    # Every user can lock it, whoever created it.
    lock = FileLock(file, mode=0o666, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise AnotherRuns("Benchmarks are already running on this machine: wait until they have ended.") from None
    try:
        yield
    finally:
        lock.release()
