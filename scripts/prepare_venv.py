"""Make ``.venv`` and install locked groups in it, skipping what is already done.

``python scripts/prepare_venv.py service training`` must run with the Python that the environment is for. For each
group, a copy of the installed lock is stored in ``.venv/installed/``: a lock that equals its copy is installed. If one
differs, or the environment has another Python, it is made again, so that it holds only packages that are locked.

``parser``, which needs a C compiler, is installed with the service where there is one, and is not required.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

VENV = Path(".venv")
LOCKS = Path("requirements")
INSTALLED = VENV / "installed"
VENV_PYTHON = VENV / "bin" / "python"


# Installed with these groups where possible; the service works without, more slowly.
OPTIONAL = {"service": "parser"}


class CannotPrepare(Exception):
    """The environment cannot be created; the message says what to do."""


def is_usable() -> bool:
    """Return whether ``.venv`` has pip and is of the Python that runs this."""
    if not any(VENV.glob("lib/python*/site-packages/pip")):
        return False
    try:
        found = subprocess.run(
            [VENV_PYTHON, "-I", "-S", "-c", "import sys; print(sys.version)"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    return found.stdout.strip() == sys.version.strip()


def stale_groups() -> list[str]:
    """Return the installed groups whose lock has changed or been removed since."""
    return [copy.stem for copy in INSTALLED.glob("*.txt") if not is_installed(copy.stem)]


def is_installed(group: str) -> bool:
    """Return whether the current lock of a group is installed."""
    lock, copy = LOCKS / f"{group}.txt", INSTALLED / f"{group}.txt"
    return lock.is_file() and copy.is_file() and lock.read_bytes() == copy.read_bytes()


def make_venv() -> None:
    """Replace ``.venv`` by an empty environment of this Python."""
    # Imported here, because the usual run makes no environment and should not wait for it.
    import venv

    try:
        import ensurepip  # noqa: F401 - Debian ships it separately, and without it venv leaves a broken folder behind
    except ImportError:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise CannotPrepare(
            f"Python {version} ({sys.executable}) cannot make virtual environments: install its venv module "
            f"(on Debian and Ubuntu: apt-get install python{version}-venv) and run make again."
        ) from None
    print(f"Making .venv with Python {sys.version.split()[0]} ...", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, with_pip=True)


def install(groups: list[str]) -> None:
    """Install the locks of these groups, and record that they are installed."""
    print(f"Installing the locked packages ({', '.join(groups)}; about a minute) ...", flush=True)
    if run_pip(groups) != 0:
        raise CannotPrepare("The locked packages are not installed: fix what pip reports above and run make again.")
    compile_packages()
    record(groups)


def install_optional(group: str) -> None:
    """Compile and install a group if possible; what failed is not tried again until the lock changes."""
    if not find_compiler():
        print(f"No C compiler found: {group} is not installed, and Gunicorn uses its slower Python parser.", flush=True)
    elif run_pip([group], stderr=subprocess.DEVNULL) != 0:
        print(f"{group} could not be compiled, and Gunicorn uses its slower Python parser.", flush=True)
    record([group])


def find_compiler() -> str | None:
    """Return the path of a C compiler, or None."""
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def run_pip(groups: list[str], stderr: int | None = None) -> int:
    """Install the locks of these groups with pip, and return its exit code."""
    # --require-hashes refuses whatever is not byte for byte what was locked. -qq prints errors only: pip's warnings
    # (about where it looked, and its own age) would hide the lines that a newcomer needs.
    # --no-deps, because a lock names every dependency, and resolving them again takes minutes.
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--require-hashes", "--no-deps", "-qq", "--no-input"]
    # --use-pep517, because flasgger is distributed as source only, and older versions of pip warn about building that.
    command += ["--no-compile", "--disable-pip-version-check", "--root-user-action=ignore", "--use-pep517"]
    for group in groups:
        command += ["--requirement", str(LOCKS / f"{group}.txt")]
    return subprocess.run(command, stderr=stderr).returncode


def compile_packages() -> None:
    """Compile all installed modules on every core; pip would do it on one."""
    # Some packages contain files for other versions of Python, which cannot be compiled and are never imported.
    command = [str(VENV_PYTHON), "-m", "compileall", "-q", "-j", "0", str(VENV / "lib")]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def record(groups: list[str]) -> None:
    """Record that the current locks of these groups were handled."""
    INSTALLED.mkdir(exist_ok=True)
    for group in groups:
        # Not app.server.atomic_file: this script runs without the project in its path.
        unfinished = INSTALLED / f"{group}.txt.new"
        shutil.copyfile(LOCKS / f"{group}.txt", unfinished)
        os.replace(unfinished, INSTALLED / f"{group}.txt")


def prepare(groups: list[str]) -> None:
    """Make sure that these groups are installed in ``.venv``.

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
    for group in groups:
        optional = OPTIONAL.get(group)
        if optional and not is_installed(optional):
            install_optional(optional)


if __name__ == "__main__":
    try:
        prepare(sys.argv[1:])
    except CannotPrepare as problem:
        sys.exit(str(problem))
