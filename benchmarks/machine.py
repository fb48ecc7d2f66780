"""On what, when and of which state of the repository something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contestants import ROOT


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Name the processor; where the kernel does not say, its architecture."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def commit() -> str:
    """Name the commit that is checked out, and say whether anything differs from it."""
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
        What was typed.
    versions
        Of what was measured.
    """
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, commit {commit()}, {cpu_model()}, {os.cpu_count()} cores, "
        f"Linux {platform.release().split('-')[0]}, Python {platform.python_version()}; "
        f"{versions}. Command: `{command}`"
    )
