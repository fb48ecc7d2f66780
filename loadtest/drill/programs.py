"""Programs that the drill starts, on free ports of this machine, and ends."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent.parent

# Nothing that the drill starts asks for a password.
HOST = "127.0.0.1"

# A cold start takes a second or two, on a busy machine several times that.
START_SECONDS = 60

# Prometheus writes what it holds in memory before it ends, a service answers what was begun.
_END_SECONDS = 30

# A program on this machine answers within milliseconds.
_ANSWER_SECONDS = 5

# How often a condition is looked at.
_LOOK_SECONDS = 0.1

# Of a log, when a program ended by itself: the reason is in its last lines.
_LAST_LINES = 5


class DrillRefused(Exception):
    """The drill cannot run; the message says why, and what to do."""


class RunningProgram:
    """A program with its log.

    Parameters
    ----------
    title
        What it is called in messages and in the log's name.
    command
        Program and arguments.
    log
        Takes everything that it writes.
    environment
        All its variables; by default those of this process.
    """

    def __init__(self, title: str, command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.title, self.log = title, log
        with log.open("ab") as output:
            # In a group of its own: Ctrl-C in the terminal is for the drill, which ends all in their order.
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def family(self) -> list[psutil.Process]:
        """List it and all that it started, itself first."""
        try:
            own = psutil.Process(self.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self._process.send_signal(number)

    def is_alive(self) -> bool:
        """Tell whether it runs."""
        return self._process.poll() is None

    def require_alive(self) -> None:
        """Make sure that it runs.

        Raises
        ------
        DrillRefused
            If it ended by itself, with the end of its log.
        """
        if not self.is_alive():
            last = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            raise DrillRefused("\n".join([f"{self.title} ended by itself; the end of {self.log}:", *last]))

    def wait(self, seconds: float) -> int:
        """Wait until it has ended, and give its exit status.

        Raises
        ------
        DrillRefused
            If it takes longer.
        """
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise DrillRefused(f"{self.title} took longer than {seconds:.0f} s: {self.log} tells more.") from None

    def end(self) -> None:
        """End it, also one that a signal has stopped."""
        if not self.is_alive():
            return
        family = self.family()
        signal_all(family, signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            signal_all(family, signal.SIGKILL)
            self._process.wait()


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to processes; one may have ended meanwhile."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def find_program(*names: str) -> str | None:
    """Find a program on PATH by the first of its names that is there."""
    return next((found for name in names if (found := shutil.which(name))), None)


def require_program(*names: str) -> str:
    """Find a program that the drill cannot do without.

    Raises
    ------
    DrillRefused
        If it is not there.
    """
    found = find_program(*names)
    if found is None:
        raise DrillRefused(f"{names[0]} is not on PATH: install it; README.md says how, under Without Docker.")
    return found


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def answers(address: str, path: str) -> bool:
    """Tell whether a GET request is answered with 200.

    Parameters
    ----------
    address
        ``host:port``.
    path
        Such as ``/readyz``.
    """
    connection = http.client.HTTPConnection(address, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Look again and again until a condition holds.

    Raises
    ------
    DrillRefused
        If it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DrillRefused(f"Waited {seconds:.0f} s in vain for {what}.")
        time.sleep(_LOOK_SECONDS)


def environment(**variables: str) -> dict[str, str]:
    """Give a program's variables: what every program needs, and these; no settings of whoever starts the drill."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LANG": "C.UTF-8"} | variables
