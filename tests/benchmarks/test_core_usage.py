"""Share of a core that other programs use."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks import core_usage
from benchmarks.core_usage import watch_core

CORE = min(os.sched_getaffinity(0))


def test_own_child_processes_are_not_others():
    """The CPU time of a running child process counts as our own."""
    child = subprocess.Popen(
        [sys.executable, "-c", "sum(range(10_000_000)); print('done', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    before = core_usage._own_seconds()
    child.stdout.readline()
    worked = core_usage._own_seconds() - before
    child.communicate(b"\n")

    assert worked > 0


def test_share_of_others_is_between_0_and_1():
    """Whatever the machine does meanwhile."""
    with watch_core(CORE) as others:
        sum(range(200_000))

    assert 0 <= others.value <= 1
