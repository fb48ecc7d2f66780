"""`make monitor` beside a real service, with the real Prometheus and Alertmanager."""

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

pytestmark = pytest.mark.system

# evaluation_interval of native.yml.
USUAL_INTERVAL_SECONDS = 15


class RunningMonitor:
    """`make monitor` in a process group of its own, as a shell would start it, and what a test asks Prometheus."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, prometheus: str, alertmanager: str) -> None:
        self.process, self.folder = process, folder
        self.prometheus, self.alertmanager = prometheus, alertmanager
        self.session = requests.Session()
        self.session.trust_env = False

    def ask(self, path: str, **parameters: str) -> Any:
        """Ask Prometheus's interface; None while it does not answer."""
        try:
            answer = self.session.get(f"{self.prometheus}/api/v1/{path}", params=parameters, timeout=30)
        except requests.ConnectionError:
            assert self.process.poll() is None, f"make monitor ended: {self.output()}"
            return None
        return answer.json()["data"] if answer.ok else None

    def targets(self) -> dict[str, str]:
        """Map each job that is scraped to its health: up, down or unknown."""
        found = self.ask("targets", state="active") or {"activeTargets": []}
        return {target["labels"]["job"]: target["health"] for target in found["activeTargets"]}

    def groups(self) -> list[dict[str, Any]]:
        """List the groups of rules."""
        groups: list[dict[str, Any]] = self.ask("rules")["groups"]
        return groups

    def has_value(self, query: str) -> bool:
        """Tell whether a query is answered with a number that is none of Prometheus's special ones."""
        found = self.ask("query", query=query)["result"]
        return bool(found) and all(sample["value"][1] not in {"NaN", "+Inf", "-Inf"} for sample in found)

    def output(self) -> str:
        """Give what it printed."""
        return (self.folder / "output").read_text()

    def processes(self) -> list[str]:
        """List the commands that run on its folder."""
        commands = []
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                command = file.read_bytes().replace(b"\0", b" ").decode()
            except OSError:  # it ended while we looked
                continue
            if f"={self.folder}/" in command:
                commands.append(command)
        return commands

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal sends the signal to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, credits_models: Path) -> Iterator[RunningService]:
    """A service that was asked nothing yet."""
    with start_service(tmp_path_factory.mktemp("service"), credits_models) as service:
        yield service


@pytest.fixture(scope="module")
def monitor(
    service: RunningService, tmp_path_factory: pytest.TempPathFactory, require_program: Callable[[str], Path]
) -> Iterator[RunningMonitor]:
    """`make monitor` for that service, on free ports; the tests of this file share it in their order."""
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


def test_all_that_is_there_is_watched(monitor, service):
    """Service, Prometheus and Alertmanager are up, and one line says where to look."""
    wait_until(
        lambda: all(monitor.targets().get(job) == "up" for job in ("service", "prometheus", "alertmanager")),
        "the targets to be up",
        service,
    )

    # On a busy machine Prometheus may warn of a scrape that came late.
    [line] = [line for line in monitor.output().splitlines() if monitor.alertmanager in line]
    for address in (monitor.prometheus, monitor.alertmanager, service.address):
        assert f"{address}/" in line
    # What nobody runs is not asked for; only a training is waited for.
    assert set(monitor.targets()) <= {"service", "prometheus", "alertmanager", "model-training", "node", "pushgateway"}
    assert [found["url"] for found in monitor.ask("alertmanagers")["activeAlertmanagers"]] == [
        f"{monitor.alertmanager}/api/v2/alerts"
    ]


def test_idle_service_raises_no_alarm(monitor, service):
    """After a start without a single prediction, no alert but Watchdog fires or is about to."""
    scraped = monitor.ask("query", query='timestamp(up{job="service"})')["result"][0]["value"][1]

    def is_evaluated_since() -> bool:
        # Groups that look at days are evaluated every few minutes: longer than a test waits.
        groups = [group for group in monitor.groups() if group["interval"] <= USUAL_INTERVAL_SECONDS]
        evaluations = [datetime.fromisoformat(group["lastEvaluation"]).timestamp() for group in groups]
        return all(evaluation > float(scraped) for evaluation in evaluations)

    wait_until(is_evaluated_since, "every rule to be evaluated", service)

    assert {alert["labels"]["alertname"] for alert in monitor.ask("alerts")["alerts"]} <= {"Watchdog"}


def test_rules_are_sound_and_recorded(monitor, service):
    """Every rule is evaluated without an error, and what is recorded of the service has a value once it is used."""
    # What has not happened yet has no rate: rows of both kinds, a mistake of the caller.
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


def test_logs_hold_no_error(monitor):
    """Neither program complains about what it was given."""
    for name in ("prometheus", "alertmanager"):
        log = (monitor.folder / f"{name}.log").read_text()
        assert "level=INFO" in log
        assert "level=ERROR" not in log
        assert "level=WARN" not in log


def test_ctrl_c_ends_both(monitor):
    """Nothing is left of either program, and both had the time to end in order."""
    assert len(monitor.processes()) == 2

    monitor.interrupt()
    monitor.process.wait(STOP_SECONDS)

    assert monitor.processes() == []
    assert "See you next time!" in (monitor.folder / "prometheus.log").read_text()
    assert "Traceback" not in monitor.output()
