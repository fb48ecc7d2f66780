"""The programs that watch have the series that rules read of them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import requests

from tests.monitoring import exporter_metrics
from tests.monitoring.rule_files import PROMETHEUS
from tests.system.running_service import STOP_SECONDS, free_port, wait_until

pytestmark = pytest.mark.system

# A receiver makes the series of its kind of notification.
ALERTMANAGER_CONFIGURATION = """
route: {receiver: nobody}
receivers: [{name: nobody, webhook_configs: [{url: "http://127.0.0.1:9/"}]}]
"""


def assert_tells(port: int, command: Sequence[str | Path], expected: set[str]) -> None:
    """Start a program, wait until it has the expected series, and end it."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: _names(process, port) >= expected, f"{sorted(expected)} of {command[0]}")
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def test_prometheus_tells_of_its_rules(require_program: Callable[[str], Path], tmp_path: Path):
    """Prometheus, with the shipped rules, has the series that tell of itself."""
    port = free_port()
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(f"rule_files: ['{PROMETHEUS}/rules/*.yml']\n")
    command: list[str | Path] = [
        require_program("prometheus"),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    assert_tells(port, command, exporter_metrics.PROMETHEUS)


def test_alertmanager_tells_of_its_notifications(require_program: Callable[[str], Path], tmp_path: Path):
    """Alertmanager counts what it could not deliver from 0, so that the first failure is seen."""
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

    assert_tells(port, command, exporter_metrics.ALERTMANAGER)


def test_node_exporter_tells_of_disks(require_program: Callable[[str], Path]):
    """node-exporter has the series of file systems, on a machine that has any."""
    port = free_port()
    command: list[str | Path] = [require_program("node_exporter"), f"--web.listen-address=127.0.0.1:{port}"]

    assert_tells(port, command, exporter_metrics.NODE_EXPORTER)


def _names(process: subprocess.Popen[bytes], port: int) -> set[str]:
    """Name the series that a program tells of; none before it listens."""
    assert process.poll() is None, "the program ended"
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
    except requests.ConnectionError:
        return set()
    return {re.split("[{ ]", line)[0] for line in answer.text.splitlines()}
