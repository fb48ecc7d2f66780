"""A real Alertmanager on a free loopback port, for one test."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests
import yaml

from tests.system.running_service import STOP_SECONDS, free_port, wait_until


class RunningAlertmanager:
    """A running Alertmanager."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process, self.address, self._log = process, address, log

    def fire(self, **labels: str) -> None:
        """Send a firing alert, as Prometheus does."""
        self._send(labels, ends_after=timedelta(hours=1))

    def resolve(self, **labels: str) -> None:
        """Send the resolution of an alert."""
        self._send(labels, ends_after=timedelta(0))

    def states(self) -> dict[str, str]:
        """Map the name of each current alert to its state: active, suppressed or unprocessed."""
        alerts = requests.get(f"{self.address}/api/v2/alerts", timeout=30).json()
        return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in alerts}

    def suppressed(self) -> set[str]:
        """Return the names of inhibited and silenced alerts."""
        return {name for name, state in self.states().items() if state == "suppressed"}

    def log(self) -> str:
        """Return its log."""
        return self._log.read_text()

    def _send(self, labels: dict[str, str], ends_after: timedelta) -> None:
        """Send an alert whose annotations contain its name."""
        now = datetime.now(UTC)
        name = labels["alertname"]
        alert = {
            "labels": labels,
            "annotations": {
                "summary": f"summary of {name}",
                "description": f"description of {name}",
                "impact": f"impact of {name}",
                "runbook_url": f"https://runbook.example/#{name.lower()}",
                "dashboard": "https://grafana.example/d/isowatch-glance",
            },
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": (now + ends_after).isoformat(),
        }
        requests.post(f"{self.address}/api/v2/alerts", json=[alert], timeout=30).raise_for_status()


@contextmanager
def start_alertmanager(program: Path, folder: Path, configuration: Path) -> Iterator[RunningAlertmanager]:
    """Start Alertmanager, wait until it is ready, and stop it afterwards; ``folder`` is for data and log."""
    port = free_port()
    log = folder / "alertmanager.log"
    with log.open("wb") as log_file:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            stdout=log_file,
            stderr=subprocess.STDOUT,
        )
    alertmanager = RunningAlertmanager(process, f"http://127.0.0.1:{port}", log)
    try:
        wait_until(lambda: _is_ready(alertmanager), f"{alertmanager.address}/-/ready; its log is {log}")
        yield alertmanager
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def with_short_waits(configuration: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration that groups alerts for 300 ms instead of minutes."""
    short = copy.deepcopy(configuration)
    for route in (short["route"], *short["route"]["routes"]):
        route |= {"group_wait": "300ms", "group_interval": "300ms"}
    return short


def write_configuration(folder: Path, configuration: dict[str, Any]) -> Path:
    """Write a modified configuration to a folder."""
    path = folder / "modified.yml"
    path.write_text(yaml.safe_dump(configuration))
    return path


def _is_ready(alertmanager: RunningAlertmanager) -> bool:
    """Return whether it reports that it is ready."""
    assert alertmanager.process.poll() is None, f"Alertmanager exited:\n{alertmanager.log()}"
    try:
        return requests.get(f"{alertmanager.address}/-/ready", timeout=30).status_code == 200
    except requests.ConnectionError:
        return False
