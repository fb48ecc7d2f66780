"""Make ``.venv`` and install locked groups in it, doing only what is not done yet.

``python scripts/prepare_venv.py service training`` runs under the Python that the environment is to have. For
each group it keeps a copy of the installed lock in ``.venv/installed/``: a lock that equals its copy is
installed. One that differs, or another Python, means a new environment, so that no package stays behind that
no lock names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

VENV = Path(".venv")
LOCKS = Path("requirements")
INSTALLED = VENV / "installed"
VENV_PYTHON = VENV / "bin" / "python"


class CannotPrepare(Exception):
    """The environment cannot be made; the message says what to do."""


def is_usable() -> bool:
    """Tell whether ``.venv`` has pip and is of the Python that runs this."""
    try:
        found = subprocess.run(
            [VENV_PYTHON, "-c", "import pip, sys; print(sys.version)"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return found.stdout.strip() == sys.version.strip()


def stale_groups() -> list[str]:
    """Name the installed groups whose lock has changed or gone since."""
    return [copy.stem for copy in INSTALLED.glob("*.txt") if not is_installed(copy.stem)]


def is_installed(group: str) -> bool:
    """Tell whether the group's lock, as it is now, is what was installed."""
    lock, copy = LOCKS / f"{group}.txt", INSTALLED / f"{group}.txt"
    return lock.is_file() and copy.is_file() and lock.read_bytes() == copy.read_bytes()


def make_venv() -> None:
    """Replace ``.venv`` by an empty environment of this Python."""
    try:
        import ensurepip  # noqa: F401 - Debian ships it apart, and without it venv leaves a broken folder behind
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise CannotPrepare(
            f"Python {version} ({sys.executable}) cannot make virtual environments: install that part of it "
            f"(on Debian and Ubuntu: apt-get install python{version}-venv) and say make again."
        ) from None
    print(f"Making .venv with Python {sys.version.split()[0]} ...", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, with_pip=True)


def install(groups: list[str]) -> None:
    """Install the locks of these groups and note that it is done."""
    print(f"Installing the locked packages ({', '.join(groups)}; about a minute) ...", flush=True)
    # --require-hashes refuses whatever is not byte for byte what was locked. Twice quiet: only errors, because
    # what pip warns of (places that it looked in, its own age) hides the lines that a newcomer needs.
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--require-hashes", "-qq", "--no-input"]
    # --use-pep517, because flasgger comes as source only and older pips complain about how they build that.
    command += ["--disable-pip-version-check", "--root-user-action=ignore", "--use-pep517"]
    for group in groups:
        command += ["--requirement", str(LOCKS / f"{group}.txt")]
    if subprocess.run(command).returncode != 0:
        raise CannotPrepare("The locked packages are not installed: mend what pip says above and say make again.")
    INSTALLED.mkdir(exist_ok=True)
    for group in groups:
        being_written = INSTALLED / f"{group}.txt.new"
        shutil.copyfile(LOCKS / f"{group}.txt", being_written)
        os.replace(being_written, INSTALLED / f"{group}.txt")


def prepare(groups: list[str]) -> None:
    """Bring ``.venv`` to a state in which these groups are installed.

    Raises
    ------
    CannotPrepare
        If this Python lacks what a virtual environment needs, or pip fails.
    """
    if stale_groups() or not is_usable():
        make_venv()
    missing = [group for group in groups if not is_installed(group)]
    if missing:
        install(missing)


if __name__ == "__main__":
    try:
        prepare(sys.argv[1:])
    except CannotPrepare as problem:
        sys.exit(str(problem))
