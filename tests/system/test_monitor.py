"""`make monitor` with a real service, Prometheus and Alertmanager."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.system.running_service import (
    REPOSITORY,
    STOP_SECONDS,
    RunningService,
    free_port,
    start_service,
    wait_until,
)

pytestmark = [pytest.mark.system, pytest.mark.long]

# evaluation_interval of native.yml.
USUAL_INTERVAL_SECONDS = 15


class RunningMonitor:
    """`make monitor` in its own process group, as in a shell, and Prometheus's API."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, prometheus: str, alertmanager: str) -> None:
        self.process, self.folder = process, folder
        self.prometheus, self.alertmanager = prometheus, alertmanager
        self.session = requests.Session()
        self.session.trust_env = False

    def query(self, path: str, **parameters: str) -> Any:
        """Query Prometheus's API; return None while it does not answer."""
        try:
            answer = self.session.get(f"{self.prometheus}/api/v1/{path}", params=parameters, timeout=30)
        except requests.ConnectionError:
            assert self.process.poll() is None, f"make monitor exited: {self.output()}"
            return None
        return answer.json()["data"] if answer.ok else None

    def targets(self) -> dict[str, str]:
        """Return the health of each scraped job: up, down or unknown."""
        found = self.query("targets", state="active") or {"activeTargets": []}
        return {target["labels"]["job"]: target["health"] for target in found["activeTargets"]}

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups of rules."""
        groups: list[dict[str, Any]] = self.query("rules")["groups"]
        return groups

    def has_value(self, query: str) -> bool:
        """Return whether a query returns finite numbers."""
        found = self.query("query", query=query)["result"]
        return bool(found) and all(sample["value"][1] not in {"NaN", "+Inf", "-Inf"} for sample in found)

    def output(self) -> str:
        """Return its output."""
        return (self.folder / "output").read_text()

    def processes(self) -> list[str]:
        """Return the commands of all processes that use its folder."""
        commands = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = file.read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # the process has just exited
                continue
            if f"={self.folder}/" in command:
                commands.append(command)
        return commands

    def interrupt(self) -> None:
        """Simulate Ctrl-C: a terminal sends the signal to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service without any requests so far."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as service:
        yield service


@pytest.fixture(scope="module")
def monitor(
    service: RunningService, tmp_path_factory: pytest.TempPathFactory, require_program: Callable[[str], Path]
) -> Iterator[RunningMonitor]:
    """`make monitor` for that service, on free ports; this file's tests share it, in order."""
    for program in ("make", "prometheus", "alertmanager"):
        require_program(program)
    folder = tmp_path_factory.mktemp("monitor")
    ports = {"PROMETHEUS_PORT": free_port(), "ALERTMANAGER_PORT": free_port()}
    variables = ports | {
        "BIND": service.address.removeprefix("http://"),
        "MONITOR_DIR": folder,
        "PYTHON": sys.executable,
    }
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            ["make", "monitor", *(f"{name}={value}" for name, value in variables.items())],
            cwd=REPOSITORY,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    addresses = (f"http://127.0.0.1:{port}" for port in ports.values())
    running = RunningMonitor(process, folder, *addresses)
    try:
        yield running
    finally:
        if process.poll() is None:
            running.interrupt()
            process.wait(STOP_SECONDS)
        running.session.close()


def test_all_targets_are_monitored(monitor, service):
    """Service, Prometheus and Alertmanager are up, and one line shows their URLs."""
    wait_until(
        lambda: all(monitor.targets().get(job) == "up" for job in ("service", "prometheus", "alertmanager")),
        "the targets to be up",
        service,
    )

    # On a busy machine Prometheus may warn about a late scrape.
    [line] = [line for line in monitor.output().splitlines() if monitor.alertmanager in line]
    for address in (monitor.prometheus, monitor.alertmanager, service.address):
        assert f"{address}/" in line
    # Optional programs that are not running have no target; only a training run may be expected.
    assert set(monitor.targets()) <= {"service", "prometheus", "alertmanager", "model-training", "node", "pushgateway"}
    assert [found["url"] for found in monitor.query("alertmanagers")["activeAlertmanagers"]] == [
        f"{monitor.alertmanager}/api/v2/alerts"
    ]


def test_idle_service_fires_no_alert(monitor, service):
    """Without any prediction, no alert except Watchdog is pending or firing; the model has no detectors."""
    scraped = monitor.query("query", query='timestamp(up{job="service"})')["result"][0]["value"][1]

    def is_evaluated_since() -> bool:
        # Groups with windows of days are evaluated every few minutes, which is too long for a test.
        groups = [group for group in monitor.groups() if group["interval"] <= USUAL_INTERVAL_SECONDS]
        evaluations = [datetime.fromisoformat(group["lastEvaluation"]).timestamp() for group in groups]
        return all(evaluation > float(scraped) for evaluation in evaluations)

    wait_until(is_evaluated_since, "every rule to be evaluated", service)

    assert {alert["labels"]["alertname"] for alert in monitor.query("alerts")["alerts"]} <= {
        "DriftNotWatched",
        "Watchdog",
    }


def test_rules_are_valid_and_have_values(monitor, service):
    """Every rule is evaluated without errors, and the service's recording rules have values once it is used."""
    # Rates need events: rows of both labels and an invalid request.
    for row in ([0.56, 0.23], [50.0, 50.0]):
        assert service.predict(row).status_code == 200
    assert service.predict([]).status_code == 422
    records = [
        rule["name"]
        for group in monitor.groups()
        for rule in group["rules"]
        if rule["type"] == "recording" and group["file"].endswith("/service_recordings.yml")
    ]

    assert records
    for record in records:
        wait_until(lambda record=record: monitor.has_value(record), f"a value of {record}", service)
    faults = [rule for group in monitor.groups() for rule in group["rules"] if rule["health"] == "err"]
    assert faults == []


def test_logs_contain_no_errors(monitor):
    """Neither program reports errors or warnings."""
    for name in ("prometheus", "alertmanager"):
        log = (monitor.folder / f"{name}.log").read_text()
        assert "level=INFO" in log
        assert "level=ERROR" not in log
        assert "level=WARN" not in log


@pytest.mark.long
def test_ctrl_c_stops_both_programs(monitor):
    """No process is left, and Prometheus shut down cleanly."""
    assert len(monitor.processes()) == 2

    monitor.interrupt()
    monitor.process.wait(STOP_SECONDS)

    assert monitor.processes() == []
    assert "See you next time!" in (monitor.folder / "prometheus.log").read_text()
    assert "Traceback" not in monitor.output()
