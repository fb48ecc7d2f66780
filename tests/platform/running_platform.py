"""The platform as `make up` starts it, from a copy of the repository, isolated from other platforms on the machine."""

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
    """A platform in its own Compose project.

    Parameters
    ----------
    folder
        Destination of the copy.
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
        """Run ``docker compose`` and fail unless it succeeds."""
        run = self.run("docker", "compose", *arguments, timeout=timeout)
        assert run.returncode == 0, run.stdout + run.stderr
        return run.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``docker compose`` in the background."""
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
        """The password that `make up` generated."""
        return (self.folder / "secrets" / "admin_password").read_text()

    @property
    def label_key(self) -> str:
        """The API key for labels that `make up` generated; on the host only root can read it."""
        return self.compose("exec", "-T", "service", "cat", "/run/secrets/feedback_api_keys").strip()

    def url(self, port: str, path: str) -> str:
        """Return a URL on one of the published ports."""
        return f"http://127.0.0.1:{self.ports[port]}{path}"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Query Prometheus, through Caddy."""
        response = requests.get(
            self.url("PROMETHEUS_PORT", "/api/v1/query"),
            params={"query": expression},
            auth=("admin", self.password),
            timeout=30,
        )
        assert response.status_code == 200, response.text
        result: list[dict[str, Any]] = response.json()["data"]["result"]
        return result

    def wait_for(self, condition: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        """Wait until a condition is true, and return its value."""
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}\n{self.compose('ps', '--all')}"
            time.sleep(0.5)
        return value

    def containers(self, service: str) -> list[str]:
        """List the containers of a service."""
        return self.compose("ps", "--quiet", service).split()

    def remove(self) -> None:
        """Stop it and remove its containers, networks and volumes; images remain for the next build."""
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans")

    def _write_changes(self) -> None:
        """Write an override with a webhook sink, immediate notifications, and builds on the host network."""
        # Needed where package registries are only reachable from the host network; harmless elsewhere.
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
    """Return a copy of a configuration without waits and mute times."""
    if isinstance(part, dict):
        quick = {"group_wait": "0s", "group_interval": "1s"}
        remaining = {name: value for name, value in part.items() if name != "mute_time_intervals"}
        return {name: quick.get(name) or _without_waiting(value) for name, value in remaining.items()}
    if isinstance(part, list):
        return [_without_waiting(value) for value in part]
    return part


def _free_ports(count: int) -> list[int]:
    """Find distinct ports without a listener."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def recorded_names() -> set[str]:
    """Return the names of all recorded series."""
    rules = ROOT / "monitoring" / "prometheus" / "rules"
    groups = [group for file in rules.glob("*.yml") for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule["record"] for group in groups for rule in group["rules"] if "record" in rule}


def delivered_alerts(log: str) -> set[tuple[str, str]]:
    """Parse the sink's log; return status and name of each alert."""
    lines = (line.split("|")[-1].split() for line in log.splitlines())
    return {(words[0], words[1]) for words in lines if len(words) == 2}


def inspect(container: str) -> dict[str, Any]:
    """Return the engine's description of a container."""
    output = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=True)
    (description,) = json.loads(output.stdout)
    return dict(description)
