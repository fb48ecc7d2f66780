"""Start and stop programs on free ports of this machine."""

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

# Loopback only: nothing that the drill starts has authentication.
HOST = "127.0.0.1"

# A cold start takes a second or two, several times that on a busy machine.
START_SECONDS = 60

# On SIGTERM Prometheus writes its memory to disk, and a service answers its pending requests.
_END_SECONDS = 30

# A program on this machine answers within milliseconds.
_TIMEOUT_SECONDS = 5

# Polling interval of conditions.
_POLL_SECONDS = 0.1

# Lines of the log to show when a program exits unexpectedly: the reason is at the end.
_LAST_LINES = 5


class DrillRefused(Exception):
    """The drill cannot run; the message says why, and what to do."""


class RunningProgram:
    """A running program with its log.

    Parameters
    ----------
    title
        Its name in messages.
    command
        Program and arguments.
    log
        File for its output.
    environment
        All its environment variables; by default those of this process.
    """

    def __init__(self, title: str, command: list[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.title, self.log = title, log
        with log.open("ab") as output:
            # In its own process group: only the drill receives Ctrl-C, and stops the programs in order.
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

    def process_tree(self) -> list[psutil.Process]:
        """Return the process and its descendants, itself first."""
        try:
            own = psutil.Process(self.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process only."""
        self._process.send_signal(number)

    def is_alive(self) -> bool:
        """Return whether it is running."""
        return self._process.poll() is None

    def require_alive(self) -> None:
        """Check that it is running.

        Raises
        ------
        DrillRefused
            If it has exited, with the end of its log.
        """
        if not self.is_alive():
            last = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            raise DrillRefused("\n".join([f"{self.title} exited unexpectedly; the end of {self.log}:", *last]))

    def wait(self, seconds: float) -> int:
        """Wait until it exits and return its exit status.

        Raises
        ------
        DrillRefused
            If it takes longer.
        """
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise DrillRefused(f"{self.title} took longer than {seconds:.0f} s: see {self.log}.") from None

    def end(self) -> None:
        """Terminate it, even if it is stopped by a signal."""
        if not self.is_alive():
            return
        process_tree = self.process_tree()
        signal_all(process_tree, signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            signal_all(process_tree, signal.SIGKILL)
            self._process.wait()


def signal_all(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to processes, ignoring those that have exited."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def find_program(*names: str) -> str | None:
    """Return the path of a program by the first of its names found on PATH, or None."""
    return next((found for name in names if (found := shutil.which(name))), None)


def require_program(*names: str) -> str:
    """Return the path of a required program.

    Raises
    ------
    DrillRefused
        If it is not on PATH.
    """
    found = find_program(*names)
    if found is None:
        raise DrillRefused(f"{names[0]} is not on PATH: install it, see docs/native.md.")
    return found


def free_port() -> int:
    """Return an unused port."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def answers(address: str, path: str) -> bool:
    """Return whether a GET request is answered with 200.

    Parameters
    ----------
    address
        ``host:port``.
    path
        Such as ``/readyz``.
    """
    connection = http.client.HTTPConnection(address, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def wait_until(condition: Callable[[], bool], what: str, seconds: float = START_SECONDS) -> None:
    """Poll until a condition holds.

    Raises
    ------
    DrillRefused
        If it does not hold in time.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise DrillRefused(f"Timed out after {seconds:.0f} s waiting for {what}.")
        time.sleep(_POLL_SECONDS)


def environment(**variables: str) -> dict[str, str]:
    """Return environment variables for a program: the basic ones and ``variables``, but no settings of the caller."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LANG": "C.UTF-8"} | variables
