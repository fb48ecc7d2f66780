"""The virtual environments of the measured servers, each created from its locks on first use."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

_ENVIRONMENTS = Path(__file__).with_name(".venvs")

# A copy of the installed locks; it is written last, so that an incomplete installation has none.
_INSTALLED = "installed.txt"

# MLflow, the largest, takes about two minutes.
_INSTALL_SECONDS = 1200


class CannotInstall(Exception):
    """A server's packages cannot be installed; the message says why."""


def prepare(name: str, locks: tuple[Path, ...]) -> Path:
    """Return the ``bin`` folder of an environment with the locked packages, and create it if necessary.

    Parameters
    ----------
    name
        The environment's folder under ``benchmarks/.venvs``.
    locks
        Files for ``pip install --require-hashes``.

    Raises
    ------
    CannotInstall
        If pip fails; the message ends with its last line.
    """
    folder = _ENVIRONMENTS / name
    wanted = sys.version + "\n" + "".join(lock.read_text(encoding="utf-8") for lock in locks)
    installed = folder / _INSTALLED
    if installed.is_file() and installed.read_text(encoding="utf-8") == wanted:
        return folder / "bin"
    print(f"Installing {name} (once) ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)])
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--require-hashes", "--quiet", "--no-input"]
    install += ["--disable-pip-version-check", "--root-user-action=ignore", "--use-pep517"]
    for lock in locks:
        install += ["--requirement", str(lock)]
    _run(install)
    installed.write_text(wanted, encoding="utf-8")
    return folder / "bin"


def version_of(bin_folder: Path, package: str) -> str:
    """Return the version of a package in an environment.

    Raises
    ------
    CannotInstall
        If it is not installed.
    """
    code = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
    return _run([str(bin_folder / "python"), "-c", code, package]).strip()


def _run(command: list[str]) -> str:
    """Run a command and return its output."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInstall(str(error)) from error
    if done.returncode:
        raise CannotInstall((done.stderr.strip().splitlines() or ["no output"])[-1])
    return done.stdout
