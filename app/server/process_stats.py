"""Memory and CPU time of all processes of the service together, and their limits."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


class ProcessUsage:
    """Measures a process and all of its descendants.

    Parameters
    ----------
    root_pid
        The process that started all others: Gunicorn's arbiter, or this process if there is none.

    Examples
    --------
    >>> usage = ProcessUsage(os.getpid())
    >>> usage.memory_bytes() > 1_000_000
    True
    >>> usage.cpu_percent() >= 0
    True
    """

    def __init__(self, root_pid: int) -> None:
        self._root_pid = root_pid
        self._last_seconds, self._last_time = self._cpu_seconds(), time.monotonic()

    def started_at(self) -> float:
        """Return when the first of the processes was started, in seconds since 1970."""
        return psutil.Process(self._root_pid).create_time()

    def memory_bytes(self) -> int:
        """Return the processes' memory; pages that several of them share count once.

        This is the sum of proportional set sizes on Linux, else of resident set sizes.
        """
        return sum(_memory_of(process) for process in self._processes())

    def cpu_percent(self) -> float:
        """Return the CPU time since the last call in percent of one core; several cores can exceed 100."""
        seconds, now = self._cpu_seconds(), time.monotonic()
        # The time of a process that ended is missing from the sum, which may then decrease.
        used = max(seconds - self._last_seconds, 0)
        elapsed = max(now - self._last_time, 1e-9)  # two calls within one tick of the clock
        self._last_seconds, self._last_time = seconds, now
        return 100 * used / elapsed

    def _processes(self) -> list[psutil.Process]:
        """Return the root and its descendants; some may end before they are measured."""
        try:
            root = psutil.Process(self._root_pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _cpu_seconds(self) -> float:
        """Return the sum of user and system time."""
        total = 0.0
        for process in self._processes():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system
        return total


def memory_limit_bytes(cgroup: Path = _CGROUP) -> int:
    """Return how much memory the service may use: the cgroup's limit, else the machine's memory.

    Parameters
    ----------
    cgroup
        The folder in which the kernel shows the limits of this process's cgroup.
    """
    total = int(psutil.virtual_memory().total)
    # The files of cgroup versions 2 and 1. Without a limit, version 2 has "max", and version 1 a number near 2**63.
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):
            return min(total, int((cgroup / name).read_text()))
    return total


def _memory_of(process: psutil.Process) -> int:
    """Return the memory of one process, or 0 if it has ended."""
    try:
        if hasattr(psutil.Process, "memory_full_info"):
            full = process.memory_full_info()
            return int(getattr(full, "pss", full.rss))
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def service_root_pid(has_arbiter: bool) -> int:
    """Return the process that started all others: the parent of a worker, or this process itself."""
    return os.getppid() if has_arbiter else os.getpid()
