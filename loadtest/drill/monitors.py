"""Start Prometheus, Alertmanager and exporters, and wait until each is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from loadtest.drill.configurations import write_alertmanager_file, write_prometheus_files
from loadtest.drill.programs import (
    HOST,
    RunningProgram,
    answers,
    environment,
    find_program,
    free_port,
    require_program,
    wait_until,
)
from loadtest.drill.time_scaling import TimeScaling

# Optional programs by job; Debian uses the longer names.
_OPTIONAL = {
    "pushgateway": ("pushgateway", "prometheus-pushgateway"),
    "node": ("node_exporter", "prometheus-node-exporter"),
}


class Monitors:
    """Start programs that listen on free ports of this machine.

    Parameters
    ----------
    folder
        Folder for their logs, configurations and data.
    stack
        Stops them when it is closed.

    Raises
    ------
    DrillRefused
        If Prometheus or Alertmanager is not on PATH.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        # Look for both first, so that a missing one is reported before a model is trained.
        self._prometheus = require_program("prometheus")
        self._alertmanager = require_program("alertmanager", "prometheus-alertmanager")

    def start_optional(self) -> dict[str, str]:
        """Start the optional programs that are installed; return their addresses by job."""
        found = {job: program for job, names in _OPTIONAL.items() if (program := find_program(*names))}
        addresses = {job: _free_address() for job in found}
        for job, program in found.items():
            self._start(job, addresses[job], "/metrics", [program])
        return addresses

    def start_alertmanager(self, sink_url: str) -> str:
        """Start Alertmanager, with the webhook as its only receiver; return its address."""
        address = _free_address()
        command = [
            self._alertmanager,
            f"--config.file={write_alertmanager_file(self._folder, sink_url)}",
            f"--storage.path={self._folder / 'alertmanager'}",
            # No clustering: there is only one.
            "--cluster.listen-address=",
        ]
        self._start("alertmanager", address, "/-/ready", command)
        return address

    def start_prometheus(
        self, targets: Mapping[str, Sequence[str]], alertmanager: str, scaling: TimeScaling
    ) -> tuple[RunningProgram, str]:
        """Start Prometheus, which also scrapes itself; return the program and its address."""
        address = _free_address()
        every_target = {**targets, "prometheus": [address], "alertmanager": [alertmanager]}
        command = [
            self._prometheus,
            f"--config.file={write_prometheus_files(self._folder, every_target, alertmanager, scaling)}",
            f"--storage.tsdb.path={self._folder / 'prometheus'}",
            # Alertmanager gets alerts again after a scaled minute, the shipped value, in case it missed one.
            f"--rules.alert.resend-delay={scaling.duration('1m')}",
        ]
        return self._start("prometheus", address, "/-/ready", command), address

    def _start(self, title: str, address: str, ready_path: str, command: Sequence[str]) -> RunningProgram:
        """Start a program and wait until it is ready."""
        program = RunningProgram(
            title,
            [*command, f"--web.listen-address={address}"],
            self._folder / f"{title}.log",
            environment(),
        )
        self._stack.callback(program.end)

        def is_ready() -> bool:
            program.require_alive()
            return answers(address, ready_path)

        wait_until(is_ready, f"http://{address}{ready_path} of {title}")
        return program


def _free_address() -> str:
    """Return an unused ``host:port``."""
    return f"{HOST}:{free_port()}"
