"""Processor time of a server, and the share of a core that other programs use."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks import core_usage
from benchmarks.core_usage import watch_core, watch_processes

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


def test_processor_time_is_that_of_all_processes_of_a_server():
    """A child's time counts, and so does that of a grandchild that has ended; this test's own does not."""
    work = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    parent = (
        "import subprocess, sys; print('ready', flush=True); input()\n"
        f"subprocess.run([sys.executable, '-c', {work!r}])\n"
        f"child = subprocess.Popen([sys.executable, '-c', {work + chr(10) + 'input()'!r}], stdin=subprocess.PIPE)\n"
        f"exec({work!r}); print('done', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as server:
        assert server.stdout.readline() == "ready\n"
        with watch_processes(server.pid) as processor:
            server.stdin.write("\n")
            sum(range(3_000_000))
            assert server.stdout.readline() == "done\n"
        server.kill()

    # 0.2 s each of the server, of a child that it waited for, and soon of a child that lives; starting Python is more.
    assert 0.35 < processor.seconds < 5
