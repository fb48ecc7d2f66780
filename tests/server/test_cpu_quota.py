"""Workers are counted by what the cgroup allows, not by what the host has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.server.cpu_quota import allowed_cpus

AVAILABLE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@pytest.mark.parametrize(
    ("cpu_max", "expected"),
    [
        ("50000 100000", 1),  # half a CPU still needs one worker
        ("100000 100000", 1),
        ("150000 100000", min(2, AVAILABLE)),
        ("99900000 100000", AVAILABLE),  # more than the machine has
        ("max 100000", AVAILABLE),
        ("nonsense", AVAILABLE),
    ],
)
def test_quota_limits_the_count(tmp_path: Path, cpu_max: str, expected: int):
    """The quota is rounded up, and is no more than the CPUs there are."""
    file = tmp_path / "cpu.max"
    file.write_text(cpu_max + "\n")

    assert allowed_cpus(file) == expected


def test_no_cgroup_gives_every_cpu(tmp_path: Path):
    """Outside a container, all CPUs that the process may run on count."""
    assert allowed_cpus(tmp_path / "missing") == AVAILABLE
