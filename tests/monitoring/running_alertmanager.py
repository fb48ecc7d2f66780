"""A real Alertmanager on a free port of the loopback address, for one test."""

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
    """One Alertmanager and what a test asks of it."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, log: Path) -> None:
        self.process, self.address, self._log = process, address, log

    def fire(self, **labels: str) -> None:
        """Report an alert that fires, as Prometheus does."""
        self._report(labels, ends_after=timedelta(hours=1))

    def resolve(self, **labels: str) -> None:
        """Report that an alert does not fire any more."""
        self._report(labels, ends_after=timedelta(0))

    def states(self) -> dict[str, str]:
        """Map the name of each alert that it holds to its state: active, suppressed or unprocessed."""
        alerts = requests.get(f"{self.address}/api/v2/alerts", timeout=30).json()
        return {alert["labels"]["alertname"]: alert["status"]["state"] for alert in alerts}

    def suppressed(self) -> set[str]:
        """Name the alerts that are held back."""
        return {name for name, state in self.states().items() if state == "suppressed"}

    def log(self) -> str:
        """Give everything that it wrote."""
        return self._log.read_text()

    def _report(self, labels: dict[str, str], ends_after: timedelta) -> None:
        """Send one alert with annotations that name it."""
        now = datetime.now(UTC)
        name = labels["alertname"]
        alert = {
            "labels": labels,
            "annotations": {
                "summary": f"summary of {name}",
                "description": f"description of {name}",
                "runbook_url": f"runbook#{name.lower()}",
            },
            "startsAt": (now - timedelta(minutes=1)).isoformat(),
            "endsAt": (now + ends_after).isoformat(),
        }
        requests.post(f"{self.address}/api/v2/alerts", json=[alert], timeout=30).raise_for_status()


@contextmanager
def start_alertmanager(program: Path, folder: Path, configuration: Path) -> Iterator[RunningAlertmanager]:
    """Start Alertmanager, wait until it is ready, and end it afterwards; ``folder`` takes data and log."""
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


def shortened(configuration: dict[str, Any]) -> dict[str, Any]:
    """Copy a configuration with waits of a moment in place of minutes; nothing else differs."""
    short = copy.deepcopy(configuration)
    for route in (short["route"], *short["route"]["routes"]):
        route |= {"group_wait": "300ms", "group_interval": "300ms"}
    return short


def write_configuration(folder: Path, configuration: dict[str, Any]) -> Path:
    """Write a derived configuration into a folder."""
    path = folder / "derived.yml"
    path.write_text(yaml.safe_dump(configuration))
    return path


def _is_ready(alertmanager: RunningAlertmanager) -> bool:
    """Tell whether it answers that it is ready."""
    assert alertmanager.process.poll() is None, f"Alertmanager ended:\n{alertmanager.log()}"
    try:
        return requests.get(f"{alertmanager.address}/-/ready", timeout=30).status_code == 200
    except requests.ConnectionError:
        return False
