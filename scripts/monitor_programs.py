"""Find the programs of ``make monitor`` on PATH, and refuse versions that are too old."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass


class MonitorRefused(Exception):
    """The monitors cannot run; the message says why, and what to do."""


@dataclass(frozen=True)
class Program:
    """A program, the names of its executable, and the oldest version that supports our files."""

    title: str
    names: tuple[str, ...]
    oldest: tuple[int, int]


# Prometheus 3 reads rules and numbers differently from 2, and our rules are tested with 3.5 and later.
PROMETHEUS = Program("Prometheus", ("prometheus",), (3, 5))

# 0.28 is the first with the receivers of all examples (Teams). Debian uses a longer name.
ALERTMANAGER = Program("Alertmanager", ("alertmanager", "prometheus-alertmanager"), (0, 28))

_HOW_TO_INSTALL = "docs/native.md explains how to install it"


def find_program(program: Program) -> str:
    """Find a program on PATH and check its version.

    Returns
    -------
    Its path.

    Raises
    ------
    MonitorRefused
        If there is none, it does not run, or it is too old.
    """
    oldest = ".".join(map(str, program.oldest))
    path = next((found for name in program.names if (found := shutil.which(name))), None)
    if path is None:
        raise MonitorRefused(f"{program.title} is not on PATH: install {oldest} or newer; {_HOW_TO_INSTALL}.")
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MonitorRefused(f"{path} does not run ({error}): {_HOW_TO_INSTALL}.") from None
    version = version_in(done.stdout + done.stderr)
    if version is None:
        raise MonitorRefused(f"{path} does not print its version, so it may not be {program.title}: {_HOW_TO_INSTALL}.")
    if version[:2] < program.oldest:
        found = ".".join(map(str, version))
        raise MonitorRefused(f"{path} is {found}, but {program.title} {oldest} or newer is needed: {_HOW_TO_INSTALL}.")
    return path


def version_in(text: str) -> tuple[int, ...] | None:
    """Parse the version that a program of the Prometheus project prints; None if there is none.

    Examples
    --------
    >>> version_in("prometheus, version 3.5.3+ds1 (branch: debian/sid)")
    (3, 5, 3)
    >>> version_in("Usage: prometheus [options]") is None
    True
    """
    found = re.search(r", version v?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(map(int, found.groups())) if found else None
