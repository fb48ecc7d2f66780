"""The number of CPUs that this process may use.

Only the standard library is imported, because Gunicorn's configuration uses this file.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def allowed_cpus(cpu_max: Path = _CPU_MAX) -> int:
    """Return the number of CPUs that the process may run on, limited by its cgroup's quota; at least 1.

    Parameters
    ----------
    cpu_max
        The file with the cgroup's quota: microseconds of CPU time (or "max"), and the period in which they may be used.

    Examples
    --------
    >>> allowed_cpus(Path("/nonexistent")) >= 1
    True
    """
    # With the host's count, a container that may use two CPUs could start 64 workers and run out of memory.
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = cpu_max.read_text().split()
        return max(1, min(available, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        return available
