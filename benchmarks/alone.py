"""One run at a time on a machine: two would measure each other."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class AnotherRuns(Exception):
    """Another run of the benchmarks has the machine; the message says what to do."""


@contextmanager
def alone_on_machine(folder: Path | None = None) -> Iterator[None]:
    """Hold the machine's one place for a run; the kernel gives it up when the process ends, however it ends.

    Parameters
    ----------
    folder
        Where the lock file lies; by default where all users of the machine find it.

    Raises
    ------
    AnotherRuns
        If somebody else holds it.
    """
    file = (folder or Path(tempfile.gettempdir())) / "isowatch-bench.lock"
    # Everybody may take it, whoever made it first.
    lock = FileLock(file, mode=0o666, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise AnotherRuns("Benchmarks are already running on this machine: wait until they have ended.") from None
    try:
        yield
    finally:
        lock.release()
