"""Make targets: first use, help, and messages about missing requirements."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HELP_LINE = re.compile(r"make ([a-z0-9-]+) +\S.*")


def make(*arguments, folder=ROOT, path=os.environ["PATH"]):
    """Run make as after a fresh login, with only HOME, PATH and TERM in its environment."""
    environ = {"HOME": os.environ.get("HOME", "/"), "PATH": str(path), "TERM": "dumb"}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environ, capture_output=True, text=True, timeout=150, check=False
    )


def assert_refused_in_one_sentence(done, *parts):
    """Check that make failed with a single line that contains these parts."""
    messages = [line for line in done.stderr.splitlines() if not line.startswith("make")]

    assert done.returncode != 0
    assert done.stdout == ""
    assert len(messages) == 1, done.stderr
    for part in parts:
        assert part in messages[0]


def script(path, text):
    """Write an executable shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path):
    """Return a folder for PATH with standard tools but without Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("sh", "make", "awk", "env"):
        (folder / name).symlink_to(shutil.which(name))
    return folder


@pytest.fixture
def checkout(tmp_path):
    """Copy the files that the first command needs, so that tests do not change their own environment."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    shutil.copy(ROOT / "Makefile", folder)
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    (folder / "requirements").mkdir()
    for group in ("service", "parser", "training"):
        (folder / "requirements" / f"{group}.txt").write_text("")
    return folder


def test_help_is_the_default():
    """`make` without a target prints the help."""
    assert make().stdout == make("help").stdout != ""


def test_help_prints_one_line_for_each_public_target():
    """Every public target is listed once with its description, and nothing else is."""
    listed = [HELP_LINE.fullmatch(line).group(1) for line in make("help").stdout.splitlines()]
    public = re.search(r"^\.PHONY: (help .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert listed == public.group(1).split()


def test_port_in_use_is_reported_before_installation(checkout):
    """A port in use is reported in one line with a solution, before the installation starts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        done = make("run", f"PORT={port}", folder=checkout)

    assert_refused_in_one_sentence(done, f"Port {port} is taken", "make run PORT=")
    assert not (checkout / ".venv").exists()


def test_invalid_address_is_refused(checkout):
    """A BIND that is not an address is reported with an example."""
    done = make("run", "BIND=localhost", folder=checkout)

    assert_refused_in_one_sentence(done, "BIND=localhost", "host:port")


def test_old_python_is_reported(checkout, tools):
    """If the only Python is too old, the message names the required version."""
    script(tools / "python3", 'case "$1" in --version) echo "Python 3.8.18";; *) exit 1;; esac')

    done = make("install", folder=checkout, path=tools)

    assert_refused_in_one_sentence(done, "Python 3.11 or newer", "found Python 3.8.18")


def test_missing_python_is_reported(checkout, tools):
    """If there is no Python, the message names the required version, too."""
    done = make("install", folder=checkout, path=tools)

    assert_refused_in_one_sentence(done, "Python 3.11 or newer", "no Python")


def test_unusable_python_variable_is_reported(checkout):
    """If PYTHON= names an unusable program, no other Python is used instead."""
    done = make("install", "PYTHON=/nowhere/python3", folder=checkout)

    assert_refused_in_one_sentence(done, "PYTHON=/nowhere/python3")


def test_python_that_does_not_run_is_skipped(tools):
    """A version manager's shim for a missing Python does not hide an older Python that works."""
    script(tools / "python3.14", 'echo "python3.14: command not found" >&2; exit 127')
    script(tools / "python3.11", f'exec {sys.executable} "$@"')

    found = subprocess.run(
        ["sh", ROOT / "scripts/find_python.sh"],
        cwd=tools,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stderr == ""
    assert Path(found.stdout.strip()).samefile(sys.executable)


def test_python_of_the_environment_is_used_without_a_search(checkout, tools):
    """Later runs do not wait for the shims of a version manager."""
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)
    script(tools / "python3.14", "exit 42")

    found = subprocess.run(
        ["sh", ROOT / "scripts/find_python.sh"],
        cwd=checkout,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert Path(found.stdout.strip()).is_file()


def test_missing_ensurepip_is_reported_with_its_package(checkout, tmp_path):
    """If Debian's Python lacks its venv package, the message contains the apt-get command that fixes it."""
    (tmp_path / "ensurepip.py").write_text("raise ModuleNotFoundError('No module named ensurepip')\n")

    # Make passes variables from its command line on to the programs that it starts.
    done = make("install", f"PYTHON={sys.executable}", f"PYTHONPATH={tmp_path}", folder=checkout)

    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert_refused_in_one_sentence(done, f"apt-get install python{version}-venv")
    assert not (checkout / ".venv").exists()


@pytest.mark.long
def test_environment_is_rebuilt_only_after_a_lock_changed(checkout):
    """A second install does nothing; after a lock file changed, the environment is rebuilt from scratch."""
    first = make("install", f"PYTHON={sys.executable}", folder=checkout)
    left_behind = checkout / ".venv" / "left-behind"
    left_behind.touch()
    second = make("install", f"PYTHON={sys.executable}", folder=checkout)
    kept = left_behind.exists()
    (checkout / "requirements" / "service.txt").write_text("# changed\n")
    third = make("install", f"PYTHON={sys.executable}", folder=checkout)

    assert (first.returncode, second.returncode, third.returncode) == (0, 0, 0)
    assert "Installing the locked packages" in first.stdout
    assert (second.stdout, kept) == ("", True)
    assert "Making .venv" in third.stdout
    assert not left_behind.exists()


@pytest.mark.long
def test_failed_install_is_repeated(checkout):
    """An installation that pip did not finish is repeated by the next command."""
    (checkout / "requirements" / "service.txt").write_text("this is no requirement\n")

    done = [make("install", f"PYTHON={sys.executable}", folder=checkout) for _ in range(2)]

    for attempt in done:
        assert attempt.returncode != 0
        assert "The locked packages are not installed" in attempt.stderr


@pytest.mark.long
def test_missing_parser_is_no_failure(checkout):
    """What cannot be compiled is reported once; Gunicorn has a parser in Python."""
    (checkout / "requirements" / "parser.txt").write_text("this is no requirement\n")

    first, second = (make("install", f"PYTHON={sys.executable}", folder=checkout) for _ in range(2))

    assert (first.returncode, second.returncode) == (0, 0)
    assert "Gunicorn uses its slower Python parser" in first.stdout
    assert second.stdout == ""


def test_example_data_never_overwrites_a_file(checkout):
    """An existing training file may be the user's own, so `make data` does not overwrite it."""
    (checkout / "data").mkdir()
    (checkout / "data" / "train.csv").write_text("mine\n")

    done = make("data", folder=checkout)

    assert done.returncode != 0
    assert "data/train.csv exists" in done.stderr
    assert (checkout / "data" / "train.csv").read_text() == "mine\n"
