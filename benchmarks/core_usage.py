"""How much of a core others take while a server is measured on it: a figure from a busy machine is to be doubted."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


class OthersShare:
    """The share of a core's time that neither the server took nor nobody; in [0, 1], once it is known."""

    value = 0.0


@contextmanager
def watch_core(core: int) -> Iterator[OthersShare]:
    """Watch a core while something of ours runs on it.

    Parameters
    ----------
    core
        Its number.

    Returns
    -------
    The share, filled in at the end. The kernel's own work for the server counts as the server's; time that the
    machine's host gave to other machines counts as others'.
    """
    share = OthersShare()
    core_before, own_before = _busy_seconds(core), _own_seconds()
    yield share
    (busy, total), own = _busy_seconds(core), _own_seconds()
    others = (busy - core_before[0]) - (own - own_before)
    share.value = min(1.0, max(0.0, others / max(total - core_before[1], 1 / os.sysconf("SC_CLK_TCK"))))


def _busy_seconds(core: int) -> tuple[float, float]:
    """Read how long a core was busy for anybody, and how long it exists."""
    times = psutil.cpu_times(percpu=True)[core]
    # Interrupts are mostly the loopback's, that is the server's own traffic.
    busy = times.user + times.system + times.nice + times.steal
    return busy, busy + times.idle + times.iowait + times.irq + times.softirq


def _own_seconds() -> float:
    """Add up the CPU time of the processes that this one started, and which live."""
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds += times.user + times.system
    return seconds
