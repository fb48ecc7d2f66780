"""The number of workers follows the cgroup's quota, not the CPUs of the host."""

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
    """The quota is rounded up, and limited to the existing CPUs."""
    file = tmp_path / "cpu.max"
    file.write_text(cpu_max + "\n")

    assert allowed_cpus(file) == expected


def test_without_a_cgroup_all_cpus_count(tmp_path: Path):
    """Outside a container, all CPUs that the process may run on count."""
    assert allowed_cpus(tmp_path / "missing") == AVAILABLE
