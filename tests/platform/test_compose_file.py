"""The guarantees of docker-compose.yml: only Caddy is published, services are hardened, images are pinned."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from scripts.platform_secrets import CONSOLE_KEYS, FEEDBACK_KEYS
from scripts.platform_settings import settings_wanted

ROOT = Path(__file__).resolve().parents[2]
ONE_ADDRESS = ("-f", "docker-compose.yml", "-f", "docker-compose.site.yml")

# Services without a health check in the Compose file: those with one in their image, and those that run once.
CHECKED_BY_THEIR_IMAGE = {"service", "cadvisor", "notebook", "loadtest"}
RUN_ONCE = {"training"}

# Those with which a program starts; PostgreSQL's entry point becomes another user.
CAPABILITIES = {
    "caddy": ["NET_BIND_SERVICE"],
    "postgres": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"],
}


@pytest.fixture(scope="session")
def configured(compose: Path, tmp_path_factory: pytest.TempPathFactory):
    """Return a function that runs ``docker compose config``, which needs no engine."""
    no_settings = tmp_path_factory.mktemp("env") / "empty"
    no_settings.touch()

    def configure(*files: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
        return subprocess.run(
            [compose, "compose", "--env-file", no_settings, *files, "--profile", "*", "config", "--format", "json"],
            cwd=ROOT,
            env={**inherited, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return configure


@pytest.fixture(scope="session")
def platform(configured) -> dict[str, Any]:
    """The platform with default settings, and a value for the only one without a default."""
    run = configured("-f", "docker-compose.yml", ADMIN_USER="admin")
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def _published(platform: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Map service and port of everything published to its address."""
    return {
        (name, port["published"]): port.get("host_ip", "all addresses")
        for name, service in platform["services"].items()
        for port in service.get("ports", [])
    }


def test_only_caddy_publishes_ports_on_loopback(platform: dict[str, Any]):
    """Everything else is reachable through Caddy only, or not at all."""
    assert _published(platform) == {
        ("caddy", "8000"): "127.0.0.1",
        ("caddy", "9090"): "127.0.0.1",
        ("caddy", "9093"): "127.0.0.1",
        ("caddy", "3000"): "127.0.0.1",
        ("caddy-notebook", "8888"): "127.0.0.1",
        ("caddy-loadtest", "8089"): "127.0.0.1",
    }
    assert {service.get("network_mode") for service in platform["services"].values()} == {None}


def test_address_and_ports_can_be_chosen(configured):
    """BIND_ADDRESS allows access from other hosts, and ports can be changed."""
    run = configured("-f", "docker-compose.yml", ADMIN_USER="admin", BIND_ADDRESS="10.0.0.1", SERVICE_PORT="8001")
    published = _published(json.loads(run.stdout))

    assert set(published.values()) == {"10.0.0.1"}
    assert ("caddy", "8001") in published


def test_one_address_publishes_only_web_ports(configured):
    """With SITE_ADDRESS only HTTP and HTTPS are published, and links use that address."""
    run = configured(*ONE_ADDRESS, ADMIN_USER="admin", SITE_ADDRESS="example.org")
    platform = json.loads(run.stdout)

    published = {port for name, port in _published(platform) if name == "caddy"}
    assert published == {"80", "443"}
    assert "--web.external-url=https://example.org/prometheus/" in platform["services"]["prometheus"]["command"]
    assert "--web.external-url=https://example.org/alertmanager/" in platform["services"]["alertmanager"]["command"]
    assert platform["services"]["grafana"]["environment"]["GF_SERVER_ROOT_URL"] == "https://example.org/grafana/"


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_flags_differ_only_in_the_address(platform: dict[str, Any], configured, name: str):
    """Both files list all flags, because Compose replaces lists as a whole."""
    run = configured(*ONE_ADDRESS, ADMIN_USER="admin", SITE_ADDRESS="example.org")
    default = platform["services"][name]["command"]
    site = json.loads(run.stdout)["services"][name]["command"]

    assert [flag.partition("=")[0] for flag in default] == [flag.partition("=")[0] for flag in site]
    assert len(set(default) ^ set(site)) == 2


def test_missing_settings_are_explained(configured):
    """Without settings, Compose fails and refers to `make up`, which generates passwords."""
    run = configured("-f", "docker-compose.yml")

    assert run.returncode != 0
    assert "make up" in run.stderr


def test_services_are_hardened(platform: dict[str, Any]):
    """Services are read-only, without capabilities, limited, restarted, and have bounded logs and an init process."""
    for name, service in platform["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == CAPABILITIES.get(name.partition("-")[0], []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}, name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert service["init"] is True, name
        assert service["restart"] == ("no" if name in RUN_ONCE else "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in CHECKED_BY_THEIR_IMAGE | RUN_ONCE), name
        # A fixed name would prevent replicas.
        assert "container_name" not in service, name


def test_only_caddy_and_alertmanager_have_external_networks(platform: dict[str, Any]):
    """Caddy receives requests from outside, and Alertmanager sends notifications."""
    external = {name for name, service in platform["services"].items() if "edge" in service["networks"]}

    assert external == {"caddy", "caddy-notebook", "caddy-loadtest", "alertmanager"}
    assert platform["networks"]["inner"]["internal"] is True
    assert all("inner" in service["networks"] for service in platform["services"].values())


def test_running_predictions_can_finish(platform: dict[str, Any]):
    """The engine waits longer than Gunicorn before it kills the service."""
    service = platform["services"]["service"]

    assert service["stop_grace_period"] == "40s"
    assert int(service["environment"]["GRACEFUL_TIMEOUT"]) < 40


def test_versions_are_pinned_in_one_place(platform: dict[str, Any]):
    """Each third-party image has a full version and occurs once in the files."""
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "docker-compose.site.yml").read_text()
    for name, service in platform["services"].items():
        if "build" in service:
            continue
        assert re.search(r":v?\d+\.\d+\.\d+(-alpine)?$|^postgres:\d+\.\d+-trixie$", service["image"]), name
        assert text.count(service["image"]) == 1, name


def test_persistent_data_is_in_named_volumes(platform: dict[str, Any]):
    """Metrics, models, records, certificates and Grafana's database are in named volumes."""
    mount_points = {
        name: {mount["target"] for mount in service["volumes"] if mount["type"] == "volume"}
        for name, service in platform["services"].items()
        if service.get("volumes")
    }

    assert mount_points["service"] == {"/models", "/state", "/records"}
    assert mount_points["training"] == {"/models", "/data", "/records"}
    assert mount_points["prometheus"] == {"/prometheus"}
    assert mount_points["postgres"] == {"/var/lib/postgresql/data"}
    assert mount_points["grafana"] == {"/var/lib/grafana"}
    assert "/data" in mount_points["caddy"]
    # Training never writes records; the service writes models as a member of training's group.
    read_only = {
        (name, mount["target"]): mount.get("read_only", False)
        for name in ("service", "training")
        for mount in platform["services"][name]["volumes"]
    }
    assert [mount for mount, is_read_only in read_only.items() if is_read_only] == [("training", "/records")]
    assert platform["services"]["service"]["group_add"] == ["1000"]


def test_defaults_in_compose_match_the_service(platform: dict[str, Any]):
    """The default settings in Compose are those of the service."""
    environment = platform["services"]["service"]["environment"]
    set_by_compose = {setting.name.upper() for setting in fields(Settings)} & set(environment)
    # Containers differ in their folders, in the authentication of callers, and in what Caddy serves beside them.
    set_by_compose -= {"DATABASE_URL", "API_KEYS_FILE", "FEEDBACK_API_KEYS_FILE", "ALLOWED_HOSTS", "TRUSTED_PROXIES"}
    set_by_compose -= {"RUNBOOK_URL"}

    assert "RECORD_PREDICTIONS" in set_by_compose
    assert Settings.from_environ({name: environment[name] for name in set_by_compose}) == Settings()


def test_training_reads_the_records_of_the_service(platform: dict[str, Any], configured):
    """Service and training use the same database, also with PostgreSQL."""
    postgresql = "postgresql://isowatch:secret@db/isowatch"
    run = configured("-f", "docker-compose.yml", ADMIN_USER="admin", DATABASE_URL=postgresql)
    for services, address in (
        (platform["services"], "sqlite:////records/records.db"),
        (json.loads(run.stdout)["services"], postgresql),
    ):
        assert {services[name]["environment"]["DATABASE_URL"] for name in ("service", "training")} == {address}


def test_database_of_the_profile_gets_the_password_of_the_service(configured):
    """`make up DATABASE=postgres` writes settings with which service, training and server agree."""
    settings = {name: value for name, value in settings_wanted({}, {"DATABASE": "postgres"}).items() if value}
    password = settings["POSTGRES_PASSWORD"]
    run = configured("-f", "docker-compose.yml", **settings)
    services = json.loads(run.stdout)["services"]

    server = services["postgres"]
    assert settings["COMPOSE_PROFILES"] in server["profiles"]
    assert server["environment"] == {
        "POSTGRES_USER": "isowatch",
        "POSTGRES_DB": "isowatch",
        "POSTGRES_PASSWORD": password,
    }
    for name in ("service", "training"):
        assert services[name]["environment"]["DATABASE_URL"] == "postgresql://isowatch@postgres/isowatch"
        assert services[name]["environment"]["PGPASSWORD"] == password


@pytest.mark.parametrize(
    ("setting", "name"), [("FEEDBACK_API_KEYS_FILE", FEEDBACK_KEYS), ("API_KEYS_FILE", CONSOLE_KEYS)]
)
def test_keys_are_a_secret(platform: dict[str, Any], setting: str, name: str):
    """The service reads its keys from Compose secrets."""
    service = platform["services"]["service"]

    assert name in [secret["source"] for secret in service["secrets"]]
    assert service["environment"][setting] == f"/run/secrets/{name}"
    assert platform["secrets"][name]["file"] == str(ROOT / "secrets" / name)


def test_documented_override_reaches_an_external_database(configured, tmp_path: Path):
    """With the override in docs/compose.md, service and training are on both networks."""
    page = (ROOT / "docs" / "compose.md").read_text()
    documented, _of_selinux = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    override = tmp_path / "docker-compose.override.yml"
    override.write_text(documented)
    run = configured("-f", "docker-compose.yml", "-f", str(override), ADMIN_USER="admin")
    assert run.returncode == 0, run.stderr

    services = json.loads(run.stdout)["services"]
    for name in ("service", "training"):
        assert set(services[name]["networks"]) == {"inner", "edge"}


def test_every_setting_is_documented():
    """docs/compose.md lists exactly the variables in the Compose files."""
    files = [ROOT / "docker-compose.yml", ROOT / "docker-compose.site.yml"]
    known = {name for file in files for name in re.findall(r"(?<!\$)\$\{([A-Z_]+)", file.read_text())}
    listed = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "compose.md").read_text(), re.MULTILINE))

    assert listed == known | {"ADMIN_PASSWORD", "DATABASE", "TRAIN"}
