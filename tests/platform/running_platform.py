"""The platform as `make up` starts it, from a copy of this tree, beside any other that runs on the machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from shutil import copy2
from typing import Any

import requests
import yaml

ROOT = Path(__file__).resolve().parents[2]
PORTS = ("SERVICE_PORT", "GRAFANA_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "NOTEBOOK_PORT", "LOADTEST_PORT")


class RunningPlatform:
    """A platform in a project of its own.

    Parameters
    ----------
    folder
        Where the tree is copied to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = f"isowatch-{uuid.uuid4().hex[:8]}"
        self.ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                copy2(ROOT / name, folder / name)
        self._write_changes()
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in ("TRAIN", "DATA")},
            **{name: str(port) for name, port in self.ports.items()},
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_FILE": "docker-compose.yml:changes.yml",
            "ALERTMANAGER_CONFIG": "./changed_alertmanager.yml",
        }

    def run(self, *command: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command in the copy."""
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=timeout
        )

    def compose(self, *arguments: str, timeout: float = 300) -> str:
        """Run ``docker compose``, which must succeed."""
        run = self.run("docker", "compose", *arguments, timeout=timeout)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``docker compose`` with these arguments, in the background."""
        return subprocess.Popen(
            ["docker", "compose", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def password(self) -> str:
        """What `make up` made up."""
        return (self.folder / "secrets" / "admin_password").read_text()

    @property
    def label_key(self) -> str:
        """The key for labels that `make up` made up; on this machine nobody but root reads it."""
        return self.compose("exec", "-T", "service", "cat", "/run/secrets/feedback_api_keys").strip()

    def url(self, port: str, path: str) -> str:
        """Name an address behind the door."""
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Ask Prometheus, through the door."""
        answer = requests.get(
            self.url("PROMETHEUS_PORT", "/api/v1/query"),
            params={"query": expression},
            auth=("admin", self.password),
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def wait_for(self, condition: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        """Wait until a condition holds, and return what it returns."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}\n{self.compose('ps', '--all')}"
            time.sleep(0.5)
        return value

    def containers(self, service: str) -> list[str]:
        """List the containers of a service."""
        return self.compose("ps", "--quiet", service).split()

    def remove(self) -> None:
        """End it, and remove all that it made in the engine; images stay for the next build."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans")

    def _write_changes(self) -> None:
        """Add what a test needs: someone who is told at once, and builds with the machine's own network."""
        # A machine that reaches package registries through its own network needs it; elsewhere it changes nothing.
        with_network = {"build": {"network": "host"}}
        sink = {
            "image": "python:3.13-slim-trixie",
            "command": ["python", "-u", "/sink.py"],
            "volumes": [f"{ROOT / 'tests' / 'platform' / 'sink.py'}:/sink.py:ro"],
            "networks": ["inner"],
            "init": True,
        }
        services = dict.fromkeys(("service", "training", "notebook", "loadtest"), with_network)
        (self.folder / "changes.yml").write_text(yaml.safe_dump({"services": {**services, "sink": sink}}))
        shipped = yaml.safe_load((self.folder / "monitoring" / "alertmanager" / "alertmanager.yml").read_text())
        webhook = [{"url": "http://sink:8080/", "send_resolved": True}]
        receivers = [{"name": receiver["name"], "webhook_configs": webhook} for receiver in shipped["receivers"]]
        changed = _without_waiting({**shipped, "receivers": receivers})
        (self.folder / "changed_alertmanager.yml").write_text(yaml.safe_dump(changed))


def _without_waiting(part: Any) -> Any:
    """Copy a configuration with no group_wait, a group_interval of a second, and no quiet nights and weekends."""
    if isinstance(part, dict):
        quick = {"group_wait": "0s", "group_interval": "1s"}
        kept = {name: value for name, value in part.items() if name != "mute_time_intervals"}
        return {name: quick.get(name) or _without_waiting(value) for name, value in kept.items()}
    if isinstance(part, list):
        return [_without_waiting(value) for value in part]
    return part


def _free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def recorded_names() -> set[str]:
    """List what the shipped rules record."""
    rules = ROOT / "monitoring" / "prometheus" / "rules"
    groups = [group for file in rules.glob("*.yml") for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def alerts_told(log: str) -> set[tuple[str, str]]:
    """Read the sink's log: status and name of each alert."""
    lines = (line.split("|")[-1].split() for line in log.splitlines())
    return {(words[0], words[1]) for words in lines if len(words) == 2}


def inspect(container: str) -> dict[str, Any]:
    """Ask the engine about a container."""
    said = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=True)
    (facts,) = json.loads(said.stdout)
    return dict(facts)
