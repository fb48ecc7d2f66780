"""Measure processor time: that of a server, and how much other programs used of its core during a measurement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


class OthersShare:
    """The share of a core's time that other programs used, in [0, 1]; set at the end of the measurement."""

    value = 0.0


@contextmanager
def watch_core(core: int) -> Iterator[OthersShare]:
    """Measure how others use a core while our processes run on it.

    Parameters
    ----------
    core
        Its number.

    Returns
    -------
    The share, set at the end. The kernel's work for the server counts as the server's; time that the host gave to other
    virtual machines counts as others'.
    """
    share = OthersShare()
    core_before, own_before = _busy_seconds(core), _own_seconds()
    yield share
    (busy, total), own = _busy_seconds(core), _own_seconds()
    share.value = share_of_others(busy - core_before[0], total - core_before[1], own - own_before)


def share_of_others(busy: float, total: float, own: float) -> float:
    """Compute the share of a core's time that was busy, but not with our processes.

    Parameters
    ----------
    busy, total, own
        In seconds: busy time of the core, elapsed time, and CPU time of our processes.

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
    """Return the busy time and the total time of a core, in seconds."""
    times = psutil.cpu_times(percpu=True)[core]
    # Interrupts are mostly from the loopback device, that is the server's own traffic.
    busy = times.user + times.system + times.nice + times.steal
    return busy, busy + times.idle + times.iowait + times.irq + times.softirq


class ProcessorTime:
    """The processor time of a server with all its processes, in seconds; set at the end of the measurement."""

    seconds = 0.0


@contextmanager
def watch_processes(pid: int) -> Iterator[ProcessorTime]:
    """Measure the processor time of a process and of all processes that it started.

    Parameters
    ----------
    pid
        Its id.

    Returns
    -------
    The time in user and in kernel mode, set at the end. Processes that end meanwhile count if their parent has waited
    for them.
    """
    time = ProcessorTime()
    before = _seconds_of_tree(psutil.Process(pid))
    yield time
    time.seconds = _seconds_of_tree(psutil.Process(pid)) - before


def _seconds_of_tree(root: psutil.Process) -> float:
    """Return the processor time of a process and its descendants, living or waited for, in seconds."""
    seconds = 0.0
    for process in [root, *root.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])
    return seconds


def _own_seconds() -> float:
    """Return the total CPU time of living child processes, in seconds."""
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds += times.user + times.system
    return seconds
