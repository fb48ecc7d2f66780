"""How many CPUs this process may use. Only the standard library is imported: Gunicorn's configuration needs it."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def allowed_cpus(cpu_max: Path = _CPU_MAX) -> int:
    """Count the CPUs, at least 1: those the process may run on, and no more than its cgroup's quota buys.

    Parameters
    ----------
    cpu_max
        The cgroup's quota: microseconds of CPU time, and the period in which they may be used, or "max".

    Examples
    --------
    >>> allowed_cpus(Path("/nonexistent")) >= 1
    True
    """
    # The host's count would start 64 workers in a container that may use two CPUs, and run out of memory.
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text().split()
        return max(1, min(available, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return available
