"""Describe on which machine, when and from which commit a measurement was made."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contestants import ROOT


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's model name; if the kernel has none, its architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    """Return the checked out commit, and whether there are changes."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty=, with changes", "--exclude=*"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def circumstances(command: str, versions: str) -> str:
    """Describe a measurement in one paragraph.

    Parameters
    ----------
    command
        The command line.
    versions
        Versions of the measured programs.
    """
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {cpu_model()}, {os.cpu_count()} cores, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}; "
        f"{versions}. Command: `{command}`"
    )
