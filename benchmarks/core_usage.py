"""How much of a core others take while a server is measured on it: a figure from a busy machine is to be doubted."""

from __future__ import annotations

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
    share.value = share_of_others(busy - core_before[0], total - core_before[1], own - own_before)


def share_of_others(busy: float, total: float, own: float) -> float:
    """Take one's own part out of how busy a core was.

    Parameters
    ----------
    busy, total, own
        Seconds: that the core was busy, that passed on it, and that our processes had it.

    Returns
    -------
    In [0, 1]. Clocks that tick a hundred times a second may put ``own`` above ``busy``; that counts as 0.

    Examples
    --------
    >>> share_of_others(busy=9, total=10, own=7)
    0.2
    >>> share_of_others(busy=9.99, total=10, own=10)
    0.0
    """
    return min(1.0, max(0.0, (busy - own) / total)) if total > 0 else 0.0


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
