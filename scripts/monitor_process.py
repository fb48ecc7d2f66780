"""A running program of ``make monitor``, with its log."""

from __future__ import annotations

import http.client
import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts.monitor_programs import MonitorRefused

# A program on this machine that needs longer to answer is not ready.
_ANSWER_SECONDS = 2

# Prometheus writes its memory to disk before it exits.
_END_SECONDS = 30

# The last lines of a log have the reason why the program exited.
_LAST_LINES = 5


@dataclass(frozen=True)
class MonitorProcess:
    """A program that listens on ``address`` and answers there whether it is ready."""

    title: str
    address: str
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, title: str, address: str, log: Path, command: list[str]) -> MonitorProcess:
        """Start the program with a new log, in its own process group: Ctrl-C in the terminal must not reach it."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, process_group=0
            )
        return cls(title, address, log, process)

    def is_ready(self) -> bool:
        """Return whether it answers that it is ready."""
        host, _, port = self.address.partition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def require_alive(self) -> None:
        """Check that it is still running.

        Raises
        ------
        MonitorRefused
            If it exited, with the end of its log.
        """
        if self.process.poll() is not None:
            last = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LAST_LINES:]
            raise MonitorRefused("\n".join([f"{self.title} exited; the end of {self.log}:", *last]))

    def end(self) -> None:
        """Terminate it, and wait until it has exited."""
        self.process.terminate()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
