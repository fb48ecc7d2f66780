"""The real Caddy with the shipped files: who gets in, what reaches the programs behind it, what does not.

What is behind the door is an echo (echo.py) under the names of all programs.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

import pytest

from scripts.platform_secrets import make_secrets

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
BEHIND = ("service", "prometheus", "alertmanager", "grafana", "notebook", "loadtest")
USER, PASSWORD = "admin", "correct horse battery"

# The most that the service takes, and so the most that the door lets through.
MOST_BYTES = 8 * 1024 * 1024


@dataclass
class Answer:
    """What came through the door."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        """What the echo was asked."""
        return dict(json.loads(self.body))


class Door:
    """A running Caddy, and the ports under which it can be asked."""

    def __init__(self, docker: Path, container: str) -> None:
        self.docker, self.container = docker, container

    def ask(self, port: int, path: str, user: str = "", *, method: str = "GET", tls: bool = False, **more) -> Answer:
        """Ask; ``user`` is ``name:password``."""
        headers = dict(more.get("headers", {}))
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        published = self.published(port)
        if tls:
            trusting = ssl._create_unverified_context()  # Caddy's own authority signs for localhost
            connection: HTTPConnection = HTTPSConnection("localhost", published, timeout=30, context=trusting)
        else:
            connection = HTTPConnection("127.0.0.1", published, timeout=30)
        try:
            connection.request(method, path, more.get("body"), headers, encode_chunked=more.get("chunked", False))
            response = connection.getresponse()
            return Answer(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def published(self, port: int) -> int:
        """Find out under which port of this machine a port of Caddy is reached."""
        said = subprocess.run([self.docker, "port", self.container, str(port)], capture_output=True, text=True)
        return int(said.stdout.splitlines()[0].rpartition(":")[2])


@pytest.fixture(scope="module")
def secrets(docker: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets that `make up` makes, with a password that we know."""
    folder = tmp_path_factory.mktemp("secrets")
    os.environ["ADMIN_USER"] = USER
    try:
        make_secrets(folder, USER, PASSWORD)
    finally:
        del os.environ["ADMIN_USER"]
    return folder


@pytest.fixture(scope="module")
def network(docker: Path) -> Iterator[str]:
    """A network in which the echo answers to the name of every program."""
    name = f"isowatch-door-{uuid.uuid4().hex[:8]}"
    subprocess.run([docker, "network", "create", name], check=True, capture_output=True)
    command: list[str | Path] = [
        *(docker, "run", "--detach", "--network", name),
        *(f"--network-alias={alias}" for alias in BEHIND),
        *("--volume", f"{Path(__file__).with_name('echo.py')}:/echo.py:ro"),
        *("python:3.13-slim-trixie", "python", "/echo.py"),
    ]
    echo = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    yield name
    subprocess.run([docker, "rm", "--force", echo], check=True, capture_output=True)
    subprocess.run([docker, "network", "rm", name], check=True, capture_output=True)


@pytest.fixture(scope="module")
def open_door(docker: Path, secrets: Path, network: str) -> Iterator[Callable[..., Door]]:
    """Start a Caddy with the shipped files, as hardened as docker-compose.yml has it."""
    image = json.loads(
        subprocess.run(
            [docker, "compose", "config", "--format", "json"],
            cwd=ROOT,
            env={**os.environ, "ADMIN_USER": USER},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )["services"]["caddy"]["image"]
    containers: list[str] = []

    def start(door: str, *ports: int, **environment: str) -> Door:
        settings = {"DOOR": door, **environment}
        command: list[str | Path] = [
            *(docker, "run", "--detach", "--network", network, "--read-only", "--cap-drop", "ALL"),
            *("--cap-add", "NET_BIND_SERVICE", "--security-opt", "no-new-privileges"),
            *("--tmpfs", "/data", "--tmpfs", "/config", "--tmpfs", "/tmp"),
            *("--volume", f"{ROOT / 'monitoring' / 'caddy'}:/etc/caddy:ro"),
            *("--volume", f"{secrets / 'caddy_users'}:/run/secrets/caddy_users:ro"),
            *(f"--publish=127.0.0.1::{port}" for port in ports),
            *(f"--env={name}={value}" for name, value in settings.items()),
            *(image, "caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"),
        ]
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
        )
        containers.append(run.stdout.strip())
        opened = Door(docker, containers[-1])
        deadline = time.monotonic() + 30
        while True:
            try:
                opened.ask(ports[0], "/", tls="SITE_ADDRESS" in environment)
                return opened
            except (OSError, IndexError):
                logs = subprocess.run([docker, "logs", containers[-1]], capture_output=True, text=True)
                assert time.monotonic() < deadline, logs.stdout + logs.stderr
                time.sleep(0.1)

    yield start
    for container in containers:
        subprocess.run([docker, "rm", "--force", container], check=True, capture_output=True)


@pytest.fixture(scope="module")
def ports(open_door: Callable[..., Door]) -> Door:
    """The door of one machine: a port for each program."""
    return open_door("ports", 8000, 9090, 9093, 3000)


@pytest.fixture(scope="module")
def address(open_door: Callable[..., Door]) -> Door:
    """The door of a site: one HTTPS address."""
    return open_door("address", 443, SITE_ADDRESS="localhost")


@pytest.mark.parametrize("port", [9090, 9093])
@pytest.mark.parametrize("path", ["/", "/api/v1/status/config", "/-/reload"])
def test_watchers_ask_for_the_password(ports: Door, port: int, path: str):
    """Nobody sees Prometheus or Alertmanager without it."""
    assert ports.ask(port, path).status == 401
    answer = ports.ask(port, path, f"{USER}:{PASSWORD}")

    assert answer.status == 200
    assert (answer.told["port"], answer.told["path"]) == (port, path)
    # The password is for the door alone.
    assert "authorization" not in answer.told["headers"]


def test_wrong_passwords_are_as_good_as_none(ports: Door):
    """A wrong password, another user, and an empty one, at every port that asks."""
    for port, path in [(8000, "/metrics"), (9090, "/"), (9093, "/")]:
        assert ports.ask(port, path, f"{USER}:wrong").status == 401
    assert ports.ask(9090, "/", f"nobody:{PASSWORD}").status == 401
    assert ports.ask(9090, "/", f"{USER}:").status == 401


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics/x", "/METRICS", "/%6detrics", "//metrics"])
def test_metrics_of_the_service_ask_for_the_password(ports: Door, path: str):
    """However the path is written."""
    assert ports.ask(8000, path).status == 401

    assert ports.ask(8000, path, f"{USER}:{PASSWORD}").status == 200


@pytest.mark.parametrize("path", ["/", "/prediction", "/predictions", "/model_information", "/v2", "/docs", "/readyz"])
def test_service_is_open_to_callers(ports: Door, path: str):
    """Predictions need no password."""
    answer = ports.ask(8000, path)

    assert answer.status == 200
    assert (answer.told["port"], answer.told["path"]) == (8000, path)


def test_grafana_asks_for_its_own_login(ports: Door):
    """The door asks nothing and takes nothing away."""
    answer = ports.ask(3000, "/api/health", "grafana:login")

    assert answer.status == 200
    assert answer.told["port"] == 3000
    assert "authorization" in answer.told["headers"]


@pytest.mark.parametrize("port", [8000, 9090, 9093, 3000])
def test_callers_cannot_pretend_to_come_from_elsewhere(ports: Door, port: int):
    """Forwarding headers are the door's own."""
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
    headers = ports.ask(port, "/", f"{USER}:{PASSWORD}", headers=forged).told["headers"]

    assert "6.6.6.6" not in headers["x-forwarded-for"]
    assert "," not in headers["x-forwarded-for"]
    assert headers["x-forwarded-host"].startswith("127.0.0.1")
    assert headers["x-forwarded-proto"] == "http"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_has_a_limit(ports: Door, is_chunked: bool):
    """As much as the service takes passes, a byte more does not, however the length is told."""

    def send(n_bytes: int) -> Answer:
        body = iter([b"x" * (n_bytes // 2), b"x" * (n_bytes - n_bytes // 2)]) if is_chunked else b"x" * n_bytes
        headers = {"Transfer-Encoding": "chunked"} if is_chunked else {}
        return ports.ask(8000, "/predictions", method="POST", body=body, headers=headers, chunked=is_chunked)

    assert send(MOST_BYTES).told["bytes"] == MOST_BYTES
    refused = send(MOST_BYTES + 1)

    assert refused.status == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert json.loads(refused.body)["status"] == 413


@pytest.mark.parametrize("path", ["/prediction", "/predictions", "/v2/models/isowatch/infer"])
def test_prediction_that_was_cut_off_is_asked_again(ports: Door, path: str):
    """A prediction changes nothing, so a replica that dies costs no answer; the body is sent again."""
    cut_off = {"X-Cut-Off": uuid.uuid4().hex}
    answer = ports.ask(8000, path, method="POST", body=b'{"feature_vector": [1, 2]}', headers=cut_off)

    assert answer.status == 200
    assert answer.told["body"] == '{"feature_vector": [1, 2]}'


def test_other_posts_are_not_asked_again(ports: Door):
    """What may change something is not done twice."""
    cut_off = {"X-Cut-Off": uuid.uuid4().hex}

    assert ports.ask(8000, "/feedback", method="POST", body=b"{}", headers=cut_off).status == 502


def test_answers_carry_security_headers(ports: Door):
    """Browsers are told what not to do, and nobody what runs here."""
    for port in (8000, 9090, 9093, 3000):
        headers = ports.ask(port, "/", f"{USER}:{PASSWORD}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert "server" not in headers


def test_key_for_labels_reaches_the_service_and_no_log(docker: Path, ports: Door):
    """The door asks who labels for no password, and tells nobody the key."""
    headers = {"X-API-Key": "key-of-the-fraud-desk", "X-Request-ID": "find-this-label"}
    answer = ports.ask(8000, "/feedback", method="POST", body=b"{}", headers=headers)

    assert answer.status == 200
    assert answer.told["headers"]["x-api-key"] == "key-of-the-fraud-desk"
    # By its presence the service knows that the caller may be of another machine.
    assert "x-forwarded-for" in answer.told["headers"]
    logged = subprocess.run([docker, "logs", ports.container], capture_output=True, text=True)
    assert "find-this-label" in logged.stdout + logged.stderr
    assert "key-of-the-fraud-desk" not in logged.stdout + logged.stderr


@pytest.mark.parametrize("path", ["/config/", "/load", "/stop"])
def test_nobody_reaches_the_admin_endpoint(docker: Path, ports: Door, path: str):
    """Caddy has none, not even for itself."""
    inside = subprocess.run(
        [docker, "exec", ports.container, "caddy", "reload", "--config", "/etc/caddy/Caddyfile"],
        capture_output=True,
        text=True,
    )

    assert inside.returncode != 0
    assert "refused" in inside.stderr
    assert ports.ask(8000, path).told["path"] == path  # the service's, not Caddy's


def test_log_is_json_and_holds_no_password(docker: Path, ports: Door):
    """One line a request, with the user's name at most."""
    ports.ask(9090, "/find-me", f"{USER}:{PASSWORD}")
    logged = subprocess.run([docker, "logs", ports.container], capture_output=True, text=True)
    lines = [json.loads(line) for line in (logged.stdout + logged.stderr).splitlines()]

    (line,) = [line for line in lines if line.get("request", {}).get("uri") == "/find-me"]
    assert (line["status"], line["user_id"]) == (200, USER)
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert secret not in json.dumps(lines)
    assert PASSWORD not in json.dumps(lines)


def test_one_address_has_everything_below_paths(address: Door):
    """Each program is found, knows the path that it was made for, and asks for what it asks for elsewhere."""
    user = f"{USER}:{PASSWORD}"
    for path, port, path_behind in [
        ("/prometheus/graph", 9090, "/graph"),
        ("/alertmanager/", 9093, "/"),
        ("/metrics", 8000, "/metrics"),
    ]:
        assert address.ask(443, path, tls=True).status == 401
        answer = address.ask(443, path, user, tls=True)
        assert (answer.told["port"], answer.told["path"]) == (port, path_behind)
        assert answer.told["headers"]["x-forwarded-proto"] == "https"

    assert address.ask(443, "/prometheus/", f"{USER}:wrong", tls=True).status == 401
    for path, port in [("/grafana/login", 3000), ("/", 8000), ("/prediction", 8000)]:
        answer = address.ask(443, path, tls=True)
        assert (answer.told["port"], answer.told["path"]) == (port, path)
        assert "max-age" in answer.headers["strict-transport-security"]
    for path in ("/grafana", "/prometheus", "/alertmanager"):
        assert address.ask(443, path, tls=True).headers["location"] == f"{path}/"


def test_notebook_keeps_its_token_and_its_own_login(docker: Path, open_door: Callable[..., Door]):
    """Jupyter asks for its token, which stands in addresses and therefore not in the log."""
    door = open_door("notebook", 8888)
    answer = door.ask(8888, "/lab?token=very-secret", headers={"Authorization": "token very-secret"})

    assert (answer.told["port"], answer.told["path"]) == (8888, "/lab?token=very-secret")
    assert answer.told["headers"]["authorization"] == "token very-secret"
    logged = subprocess.run([docker, "logs", door.container], capture_output=True, text=True)
    assert "REDACTED" in logged.stdout + logged.stderr
    assert "very-secret" not in logged.stdout + logged.stderr


def test_load_test_asks_for_the_password(open_door: Callable[..., Door]):
    """Locust's page would let anybody start a load."""
    door = open_door("loadtest", 8089)

    assert door.ask(8089, "/").status == 401
    assert door.ask(8089, "/", f"{USER}:wrong").status == 401
    assert door.ask(8089, "/swarm", f"{USER}:{PASSWORD}", method="POST", body=b"x").told["port"] == 8089
