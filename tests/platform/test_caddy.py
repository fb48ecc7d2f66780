"""A real Caddy with the shipped files: authentication, forwarding, limits, retries and logs.

An echo server (echo.py) replaces all programs behind it.
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
UPSTREAMS = ("service", "prometheus", "alertmanager", "grafana", "notebook", "loadtest")
USER, PASSWORD = "admin", "correct horse battery"

# The limit of the service, and therefore of Caddy.
MAX_BYTES = 8 * 1024 * 1024


@dataclass
class Response:
    """A response of Caddy."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def echo(self) -> dict[str, Any]:
        """The request as the echo server received it."""
        return dict(json.loads(self.body))


class Caddy:
    """A running Caddy container."""

    def __init__(self, docker: Path, container: str) -> None:
        self.docker, self.container = docker, container

    def request(
        self, port: int, path: str, user: str = "", *, method: str = "GET", tls: bool = False, **more
    ) -> Response:
        """Send a request; ``user`` is ``name:password``."""
        headers = dict(more.get("headers", {}))
        if user:
            headers["Authorization"] = "Basic " + base64.b64encode(user.encode()).decode()
        published = self.published(port)
        if tls:
            unverified = ssl._create_unverified_context()  # the certificate for localhost is from Caddy's own CA
            connection: HTTPConnection = HTTPSConnection("localhost", published, timeout=30, context=unverified)
        else:
            connection = HTTPConnection("127.0.0.1", published, timeout=30)
        try:
            connection.request(method, path, more.get("body"), headers, encode_chunked=more.get("chunked", False))
            response = connection.getresponse()
            return Response(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        finally:
            connection.close()

    def published(self, port: int) -> int:
        """Return the host port of a container port."""
        output = subprocess.run([self.docker, "port", self.container, str(port)], capture_output=True, text=True)
        return int(output.stdout.splitlines()[0].rpartition(":")[2])


@pytest.fixture(scope="module")
def secrets(docker: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets that `make up` generates, with a known password."""
    folder = tmp_path_factory.mktemp("secrets")
    os.environ["ADMIN_USER"] = USER
    try:
        make_secrets(folder, USER, PASSWORD)
    finally:
        del os.environ["ADMIN_USER"]
    return folder


@pytest.fixture(scope="module")
def network(docker: Path) -> Iterator[str]:
    """A network in which the echo server has the names of all programs."""
    name = f"isowatch-caddy-{uuid.uuid4().hex[:8]}"
    subprocess.run([docker, "network", "create", name], check=True, capture_output=True)
    command: list[str | Path] = [
        *(docker, "run", "--detach", "--network", name),
        *(f"--network-alias={alias}" for alias in UPSTREAMS),
        *("--volume", f"{Path(__file__).with_name('echo.py')}:/echo.py:ro"),
        *("python:3.13-slim-trixie", "python", "/echo.py"),
    ]
    echo = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    yield name
    subprocess.run([docker, "rm", "--force", echo], check=True, capture_output=True)
    subprocess.run([docker, "network", "rm", name], check=True, capture_output=True)


@pytest.fixture(scope="module")
def start_caddy(docker: Path, secrets: Path, network: str) -> Iterator[Callable[..., Caddy]]:
    """Return a function that starts Caddy with the shipped files, hardened as in docker-compose.yml."""
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

    def start(door: str, *ports: int, **environment: str) -> Caddy:
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
        caddy = Caddy(docker, containers[-1])
        deadline = time.monotonic() + 30
        while True:
            try:
                caddy.request(ports[0], "/", tls="SITE_ADDRESS" in environment)
                return caddy
            except (OSError, IndexError):
                logs = subprocess.run([docker, "logs", containers[-1]], capture_output=True, text=True)
                assert time.monotonic() < deadline, logs.stdout + logs.stderr
                time.sleep(0.1)

    yield start
    for container in containers:
        subprocess.run([docker, "rm", "--force", container], check=True, capture_output=True)


@pytest.fixture(scope="module")
def ports(start_caddy: Callable[..., Caddy]) -> Caddy:
    """Caddy with one port for each program."""
    return start_caddy("ports", 8000, 9090, 9093, 3000)


@pytest.fixture(scope="module")
def address(start_caddy: Callable[..., Caddy]) -> Caddy:
    """Caddy with one HTTPS address."""
    return start_caddy("address", 443, SITE_ADDRESS="localhost")


@pytest.mark.parametrize("port", [9090, 9093])
@pytest.mark.parametrize("path", ["/", "/api/v1/status/config", "/-/reload"])
def test_monitoring_requires_the_password(ports: Caddy, port: int, path: str):
    """Prometheus and Alertmanager require authentication."""
    assert ports.request(port, path).status == 401
    response = ports.request(port, path, f"{USER}:{PASSWORD}")

    assert response.status == 200
    assert (response.echo["port"], response.echo["path"]) == (port, path)
    # The password is not forwarded.
    assert "authorization" not in response.echo["headers"]


def test_wrong_credentials_are_rejected(ports: Caddy):
    """Wrong passwords, empty passwords and unknown users are rejected."""
    for port, path in [(8000, "/metrics"), (9090, "/"), (9093, "/")]:
        assert ports.request(port, path, f"{USER}:wrong").status == 401
    assert ports.request(9090, "/", f"nobody:{PASSWORD}").status == 401
    assert ports.request(9090, "/", f"{USER}:").status == 401


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics/x", "/METRICS", "/%6detrics", "//metrics"])
def test_metrics_require_the_password(ports: Caddy, path: str):
    """Metrics of the service require authentication, for every spelling of the path."""
    assert ports.request(8000, path).status == 401

    assert ports.request(8000, path, f"{USER}:{PASSWORD}").status == 200


def test_runbook_requires_the_password(ports: Caddy, address: Caddy):
    """Caddy itself serves the page that alerts link to, at both kinds of address."""
    for caddy, port, tls in ((ports, 8000, False), (address, 443, True)):
        assert caddy.request(port, "/runbook/", tls=tls).status == 401
        response = caddy.request(port, "/runbook/", f"{USER}:{PASSWORD}", tls=tls)

        assert response.status == 200
        assert b'id="servicedown"' in response.body


@pytest.mark.parametrize("path", ["/", "/prediction", "/predictions", "/model_information", "/v2", "/docs", "/readyz"])
def test_service_needs_no_password(ports: Caddy, path: str):
    """All other paths of the service are open."""
    response = ports.request(8000, path)

    assert response.status == 200
    assert (response.echo["port"], response.echo["path"]) == (8000, path)


def test_grafana_has_its_own_login(ports: Caddy):
    """Caddy requires no authentication and forwards the Authorization header."""
    response = ports.request(3000, "/api/health", "grafana:login")

    assert response.status == 200
    assert response.echo["port"] == 3000
    assert "authorization" in response.echo["headers"]


@pytest.mark.parametrize("port", [8000, 9090, 9093, 3000])
def test_forwarded_headers_cannot_be_forged(ports: Caddy, port: int):
    """Caddy replaces the X-Forwarded headers of callers."""
    forged = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher"}
    headers = ports.request(port, "/", f"{USER}:{PASSWORD}", headers=forged).echo["headers"]

    assert "6.6.6.6" not in headers["x-forwarded-for"]
    assert "," not in headers["x-forwarded-for"]
    assert headers["x-forwarded-host"].startswith("127.0.0.1")
    assert headers["x-forwarded-proto"] == "http"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_body_has_a_limit(ports: Caddy, is_chunked: bool):
    """A body at the limit is forwarded, one more byte is rejected, with Content-Length and with chunks."""

    def send(n_bytes: int) -> Response:
        body = iter([b"x" * (n_bytes // 2), b"x" * (n_bytes - n_bytes // 2)]) if is_chunked else b"x" * n_bytes
        headers = {"Transfer-Encoding": "chunked"} if is_chunked else {}
        return ports.request(8000, "/predictions", method="POST", body=body, headers=headers, chunked=is_chunked)

    assert send(MAX_BYTES).echo["bytes"] == MAX_BYTES
    refused = send(MAX_BYTES + 1)

    assert refused.status == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert json.loads(refused.body)["status"] == 413


@pytest.mark.parametrize("path", ["/prediction", "/predictions", "/v2/models/isowatch/infer"])
def test_interrupted_prediction_is_retried(ports: Caddy, path: str):
    """Predictions are idempotent, so they are retried, with their body, if a replica dies."""
    interrupt = {"X-Interrupt": uuid.uuid4().hex}
    response = ports.request(8000, path, method="POST", body=b'{"feature_vector": [1, 2]}', headers=interrupt)

    assert response.status == 200
    assert response.echo["body"] == '{"feature_vector": [1, 2]}'


def test_other_posts_are_not_retried(ports: Caddy):
    """Requests that may have side effects are not retried."""
    interrupt = {"X-Interrupt": uuid.uuid4().hex}

    assert ports.request(8000, "/feedback", method="POST", body=b"{}", headers=interrupt).status == 502


def test_responses_have_security_headers(ports: Caddy):
    """Responses have security headers and no Server header."""
    for port in (8000, 9090, 9093, 3000):
        headers = ports.request(port, "/", f"{USER}:{PASSWORD}").headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "SAMEORIGIN"
        assert "server" not in headers


def test_label_key_is_forwarded_and_not_logged(docker: Path, ports: Caddy):
    """Requests with an API key need no password, and the key is not in the log."""
    headers = {"X-API-Key": "key-of-the-fraud-desk", "X-Request-ID": "find-this-label"}
    response = ports.request(8000, "/feedback", method="POST", body=b"{}", headers=headers)

    assert response.status == 200
    assert response.echo["headers"]["x-api-key"] == "key-of-the-fraud-desk"
    # Its presence tells the service that the caller may be on another host.
    assert "x-forwarded-for" in response.echo["headers"]
    logged = subprocess.run([docker, "logs", ports.container], capture_output=True, text=True)
    assert "find-this-label" in logged.stdout + logged.stderr
    assert "key-of-the-fraud-desk" not in logged.stdout + logged.stderr


@pytest.mark.parametrize("path", ["/config/", "/load", "/stop"])
def test_admin_endpoint_is_disabled(docker: Path, ports: Caddy, path: str):
    """Caddy has no admin endpoint, not even inside its container."""
    inside = subprocess.run(
        [docker, "exec", ports.container, "caddy", "reload", "--config", "/etc/caddy/Caddyfile"],
        capture_output=True,
        text=True,
    )

    assert inside.returncode != 0
    assert "refused" in inside.stderr
    assert ports.request(8000, path).echo["path"] == path  # answered by the service, not by Caddy


def test_log_is_json_without_passwords(docker: Path, ports: Caddy):
    """Every request is one line of JSON with the user name, but without the password."""
    ports.request(9090, "/find-me", f"{USER}:{PASSWORD}")
    logged = subprocess.run([docker, "logs", ports.container], capture_output=True, text=True)
    lines = [json.loads(line) for line in (logged.stdout + logged.stderr).splitlines()]

    (line,) = [line for line in lines if line.get("request", {}).get("uri") == "/find-me"]
    assert (line["status"], line["user_id"]) == (200, USER)
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert secret not in json.dumps(lines)
    assert PASSWORD not in json.dumps(lines)


def test_one_address_serves_all_programs_under_paths(address: Caddy):
    """Each program gets its path prefix handled, and requires the same authentication as on its own port."""
    user = f"{USER}:{PASSWORD}"
    for path, port, upstream_path in [
        ("/prometheus/graph", 9090, "/graph"),
        ("/alertmanager/", 9093, "/"),
        ("/metrics", 8000, "/metrics"),
    ]:
        assert address.request(443, path, tls=True).status == 401
        response = address.request(443, path, user, tls=True)
        assert (response.echo["port"], response.echo["path"]) == (port, upstream_path)
        assert response.echo["headers"]["x-forwarded-proto"] == "https"

    assert address.request(443, "/prometheus/", f"{USER}:wrong", tls=True).status == 401
    for path, port in [("/grafana/login", 3000), ("/", 8000), ("/prediction", 8000)]:
        response = address.request(443, path, tls=True)
        assert (response.echo["port"], response.echo["path"]) == (port, path)
        assert "max-age" in response.headers["strict-transport-security"]
    for path in ("/grafana", "/prometheus", "/alertmanager"):
        assert address.request(443, path, tls=True).headers["location"] == f"{path}/"


def test_notebook_token_is_forwarded_and_not_logged(docker: Path, start_caddy: Callable[..., Caddy]):
    """Jupyter requires its token, which can be in the URL and is redacted in the log."""
    caddy = start_caddy("notebook", 8888)
    response = caddy.request(8888, "/lab?token=very-secret", headers={"Authorization": "token very-secret"})

    assert (response.echo["port"], response.echo["path"]) == (8888, "/lab?token=very-secret")
    assert response.echo["headers"]["authorization"] == "token very-secret"
    logged = subprocess.run([docker, "logs", caddy.container], capture_output=True, text=True)
    assert "REDACTED" in logged.stdout + logged.stderr
    assert "very-secret" not in logged.stdout + logged.stderr


def test_load_test_requires_the_password(start_caddy: Callable[..., Caddy]):
    """Locust's page can start a load test, so it requires authentication."""
    caddy = start_caddy("loadtest", 8089)

    assert caddy.request(8089, "/").status == 401
    assert caddy.request(8089, "/", f"{USER}:wrong").status == 401
    assert caddy.request(8089, "/swarm", f"{USER}:{PASSWORD}", method="POST", body=b"x").echo["port"] == 8089
