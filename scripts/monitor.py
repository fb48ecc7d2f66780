"""``make monitor``: run this machine's Prometheus and Alertmanager for ``make run`` until Ctrl-C.

It needs only Python's standard library. The settings are in :mod:`scripts.monitor_settings`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from types import FrameType

from scripts.monitor_configuration import write_alertmanager_configuration, write_prometheus_configuration
from scripts.monitor_process import MonitorProcess
from scripts.monitor_programs import ALERTMANAGER, PROMETHEUS, MonitorRefused, find_program
from scripts.monitor_settings import MonitorSettings

# They are ready within a second; Prometheus takes longer if it has to replay its log after being killed.
_START_SECONDS = 120

# Interval at which Ctrl-C and the processes are checked.
_POLL_SECONDS = 0.2


class StopRequested:
    """True once Ctrl-C was pressed, the terminal was closed, or this process was terminated."""

    def __init__(self) -> None:
        self._is_requested = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup and shells ignore signals that are not meant for this process.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._record)

    def __bool__(self) -> bool:
        return self._is_requested

    def _record(self, number: int, frame: FrameType | None) -> None:
        """Record the signal; nothing is interrupted, so that no process is started and then forgotten."""
        self._is_requested = True


def run(environ: Mapping[str, str]) -> None:
    """Start both, print their addresses, and stop both when requested.

    Raises
    ------
    MonitorRefused
        If something is missing or in the way, or one of them exits.
    """
    stop_requested = StopRequested()
    prometheus, alertmanager = find_program(PROMETHEUS), find_program(ALERTMANAGER)
    settings = MonitorSettings.from_environ(environ)
    folder = settings.folder
    folder.mkdir(parents=True, exist_ok=True)
    commands = {
        PROMETHEUS.title: (settings.prometheus, prometheus_command(prometheus, settings)),
        ALERTMANAGER.title: (settings.alertmanager, alertmanager_command(alertmanager, settings)),
    }
    monitors: list[MonitorProcess] = []
    try:
        for title, (address, command) in commands.items():
            monitors.append(MonitorProcess.start(title, address, folder / f"{title.lower()}.log", command))
        wait_until_ready(monitors, stop_requested)
        if not stop_requested:
            print(
                f"Prometheus http://{settings.prometheus}/ and Alertmanager http://{settings.alertmanager}/ watch "
                f"http://{settings.service}/; data and logs are in {folder}; press Ctrl-C to stop both.",
                flush=True,
            )
        while not stop_requested:
            time.sleep(_POLL_SECONDS)
            for monitor in monitors:
                monitor.require_alive()
    finally:
        for monitor in monitors:
            monitor.end()


def wait_until_ready(monitors: list[MonitorProcess], stop_requested: StopRequested) -> None:
    """Wait until all are ready, or a stop is requested.

    Raises
    ------
    MonitorRefused
        If one exits, or takes too long.
    """
    deadline = time.monotonic() + _START_SECONDS
    while not stop_requested:
        for monitor in monitors:
            monitor.require_alive()
        late = [monitor for monitor in monitors if not monitor.is_ready()]
        if not late:
            return
        if time.monotonic() > deadline:
            raise MonitorRefused(f"{late[0].title} is not ready after {_START_SECONDS} s: see {late[0].log}.")
        time.sleep(_POLL_SECONDS)


def prometheus_command(program: str, settings: MonitorSettings) -> list[str]:
    """Return the command of Prometheus, and write its configuration."""
    return [
        program,
        f"--config.file={write_prometheus_configuration(settings)}",
        f"--storage.tsdb.path={settings.folder / 'prometheus'}",
        # As in docker-compose.yml.
        "--storage.tsdb.retention.time=15d",
        "--storage.tsdb.retention.size=10GB",
        f"--web.listen-address={settings.prometheus}",
    ]


def alertmanager_command(program: str, settings: MonitorSettings) -> list[str]:
    """Return the command of Alertmanager, and write its configuration."""
    return [
        program,
        f"--config.file={write_alertmanager_configuration(settings)}",
        f"--storage.path={settings.folder / 'alertmanager'}",
        f"--web.listen-address={settings.alertmanager}",
        # A single instance has no peers.
        "--cluster.listen-address=",
    ]


def main() -> int:
    """Run both until Ctrl-C."""
    try:
        run(os.environ)
    except MonitorRefused as error:
        print(f"isowatch: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
