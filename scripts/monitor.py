"""``make monitor``: Prometheus and Alertmanager of this machine beside ``make run``, both ended by Ctrl-C.

Python's own library is all that it takes. What it can be told is in :mod:`scripts.monitor_settings`.
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

# They are ready within a second; Prometheus takes longer when it has to read what it wrote before it was killed.
_START_SECONDS = 120

# How long Ctrl-C waits at most until it is noticed.
_LOOK_SECONDS = 0.2


class EndWanted:
    """True once Ctrl-C, or whoever closed the terminal or ended this process, wants the monitors to end."""

    def __init__(self) -> None:
        self._is_wanted = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup and shells have what is not meant for this process ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._note)

    def __bool__(self) -> bool:
        return self._is_wanted

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Note that a signal came; nothing is interrupted, so no process is started and then forgotten."""
        self._is_wanted = True


def run(environ: Mapping[str, str]) -> None:
    """Start both, say where they are, and end both when the end is wanted.

    Raises
    ------
    MonitorRefused
        If something is missing or in the way, or one of them ends by itself.
    """
    end_wanted = EndWanted()
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
        wait_until_ready(monitors, end_wanted)
        if not end_wanted:
            print(
                f"Prometheus http://{settings.prometheus}/ and Alertmanager http://{settings.alertmanager}/ watch "
                f"http://{settings.service}/; data and logs are in {folder}; Ctrl-C ends both.",
                flush=True,
            )
        while not end_wanted:
            time.sleep(_LOOK_SECONDS)
            for monitor in monitors:
                monitor.require_alive()
    finally:
        for monitor in monitors:
            monitor.end()


def wait_until_ready(monitors: list[MonitorProcess], end_wanted: EndWanted) -> None:
    """Wait until all are ready, or the end is wanted.

    Raises
    ------
    MonitorRefused
        If one ends by itself, or takes too long.
    """
    deadline = time.monotonic() + _START_SECONDS
    while not end_wanted:
        for monitor in monitors:
            monitor.require_alive()
        late = [monitor for monitor in monitors if not monitor.is_ready()]
        if not late:
            return
        if time.monotonic() > deadline:
            raise MonitorRefused(f"{late[0].title} is not ready after {_START_SECONDS} s: {late[0].log} tells why.")
        time.sleep(_LOOK_SECONDS)


def prometheus_command(program: str, settings: MonitorSettings) -> list[str]:
    """Put Prometheus's command together, and write what it reads."""
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
    """Put Alertmanager's command together, and write what it reads."""
    return [
        program,
        f"--config.file={write_alertmanager_configuration(settings)}",
        f"--storage.path={settings.folder / 'alertmanager'}",
        f"--web.listen-address={settings.alertmanager}",
        # There is one; no other to gossip with.
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
