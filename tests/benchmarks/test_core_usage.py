"""How busy others keep a core."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks import core_usage
from benchmarks.core_usage import watch_core

CORE = min(os.sched_getaffinity(0))


def test_work_of_our_own_children_is_seen():
    """What a process that we started does counts as ours, as long as it lives."""
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


def test_share_of_others_is_a_share():
    """Whatever the machine does meanwhile, the share lies between none and all."""
    with watch_core(CORE) as others:
        sum(range(200_000))

    assert 0 <= others.value <= 1
