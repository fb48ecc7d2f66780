"""What all processes of the service use together: memory, CPU, and how much they may use."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil

_CGROUP = Path("/sys/fs/cgroup")


class ProcessUsage:
    """Measures a process and everything below it.

    Parameters
    ----------
    root_pid
        The process that started all others: Gunicorn's arbiter, or this process where there is none.

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
        """Tell when the first of the processes was started, in seconds since 1970."""
        return psutil.Process(self._root_pid).create_time()

    def memory_bytes(self) -> int:
        """Add up the processes' memory; pages that several of them share count once.

        That is the proportional set size where the kernel tells it (Linux), else the resident set size.
        """
        return sum(_memory_of(process) for process in self._processes())

    def cpu_percent(self) -> float:
        """Tell the CPU time since the last call, as a share of one core times 100; more cores give more than 100."""
        seconds, now = self._cpu_seconds(), time.monotonic()
        # A process that ended takes its time with it; the others' use cannot be negative.
        used = max(seconds - self._last_seconds, 0)
        elapsed = max(now - self._last_time, 1e-9)  # two calls within one tick of the clock
        self._last_seconds, self._last_time = seconds, now
        return 100 * used / elapsed

    def _processes(self) -> list[psutil.Process]:
        """List the root and all below it; a process may be gone by the time it is asked."""
        try:
            root = psutil.Process(self._root_pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _cpu_seconds(self) -> float:
        """Add up user and system time."""
        total = 0.0
        for process in self._processes():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system
        return total


def memory_limit_bytes() -> int:
    """Tell how much memory the service may use: the cgroup's limit, else the machine's memory."""
    try:
        return int((_CGROUP / "memory.max").read_text())
    except (OSError, ValueError):  # no cgroup version 2 here, or "max"
        return int(psutil.virtual_memory().total)


def _memory_of(process: psutil.Process) -> int:
    """Tell one process's part of the memory."""
    try:
        if hasattr(psutil.Process, "memory_full_info"):
            full = process.memory_full_info()
            return int(getattr(full, "pss", full.rss))
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def service_root_pid(has_arbiter: bool) -> int:
    """Name the process that started all others: the parent of a worker, or this process itself."""
    return os.getppid() if has_arbiter else os.getpid()
