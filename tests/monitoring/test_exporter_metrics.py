"""The monitoring programs export the series that rules read."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import copytree

import pytest
import requests

from tests.monitoring import exporter_metrics
from tests.monitoring.rule_files import PROMETHEUS
from tests.system.running_service import STOP_SECONDS, free_port, wait_until

pytestmark = pytest.mark.system

# The series of an integration exist only if a receiver uses it.
ALERTMANAGER_CONFIGURATION = """
route: {receiver: webhook}
receivers: [{name: webhook, webhook_configs: [{url: "http://127.0.0.1:9/"}]}]
"""


def assert_exports(port: int, command: Sequence[str | Path], expected: set[str]) -> None:
    """Start a program, wait until it exports the expected series, and stop it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _names(process, port) >= expected, f"{sorted(expected)} of {command[0]}")
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def test_prometheus_exports_its_own_state(require_program: Callable[[str], Path], tmp_path: Path):
    """Prometheus with the shipped rules exports series about rules and configuration."""
    port = free_port()
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(f"rule_files: ['{PROMETHEUS}/rules/*.yml']\n")
    command: list[str | Path] = [
        require_program("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    assert_exports(port, command, exporter_metrics.PROMETHEUS)


def test_alertmanager_exports_failed_notifications(require_program: Callable[[str], Path], tmp_path: Path):
    """Alertmanager's counter of failed notifications exists from the start, so that the first failure is noticed."""
    port = free_port()
    configuration = tmp_path / "alertmanager.yml"
    configuration.write_text(ALERTMANAGER_CONFIGURATION)
    command: list[str | Path] = [
        require_program("alertmanager"),
        f"--config.file={configuration}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]

    assert_exports(port, command, exporter_metrics.ALERTMANAGER)


def test_node_exporter_exports_disks(require_program: Callable[[str], Path]):
    """node-exporter exports series of file systems."""
    port = free_port()
    command: list[str | Path] = [require_program("node_exporter"), f"--web.listen-address=127.0.0.1:{port}"]

    assert_exports(port, command, exporter_metrics.NODE_EXPORTER)


def test_caddy_counts_each_request_of_callers_once(require_program: Callable[[str], Path], tmp_path: Path):
    """The shipped Caddyfile names the listener of callers, where the handler ``subroute`` sees each request once."""
    caddy = require_program("caddy")
    folder = tmp_path / "caddy"
    copytree(PROMETHEUS.parent / "caddy", folder)
    (tmp_path / "users").write_text("admin $2a$14$" + "a" * 53 + "\n")
    ports = {f":{port} {{": f":{free_port()} {{" for port in (2020, 3000, 8000, 9090, 9093)}
    for file in (folder / "Caddyfile", folder / "doors" / "ports.caddy"):
        text = file.read_text().replace("/run/secrets/caddy_users", str(tmp_path / "users"))
        for port, free in ports.items():
            text = text.replace(port, free)
        file.write_text(text)
    door, metrics = (ports[f":{port} {{"].strip(": {") for port in (8000, 2020))
    command: list[str | Path] = [caddy, "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]
    environ = os.environ | {"DOOR": "ports", "HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: bool(_names(process, int(metrics))), "Caddy's metrics")
            # It has no password, so Caddy answers it itself.
            assert requests.post(f"http://127.0.0.1:{door}/runbook/", timeout=30).status_code == 401
            lines = requests.get(f"http://127.0.0.1:{metrics}/metrics", timeout=30).text.splitlines()
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)
    labels = 'code="401",handler="subroute",method="POST",server="service"'

    assert f"caddy_http_request_duration_seconds_count{{{labels}}} 1" in lines
    assert f'caddy_http_request_duration_seconds_bucket{{{labels},le="0.1"}} 1' in lines


def _names(process: subprocess.Popen[bytes], port: int) -> set[str]:
    """Return the names of the series that a program exports; none before it listens."""
    assert process.poll() is None, "the program exited"
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
    except requests.ConnectionError:
        return set()
    return {re.split("[{ ]", line)[0] for line in answer.text.splitlines()}
