"""What docker-compose.yml promises: one door, nothing that it need not do, versions in one place."""

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
from scripts.platform_secrets import FEEDBACK_KEYS

ROOT = Path(__file__).resolve().parents[2]
ONE_ADDRESS = ("-f", "docker-compose.yml", "-f", "docker-compose.site.yml")

# What runs once and ends, and what looks after itself: cAdvisor's image brings a check, ours do in their Dockerfiles.
CHECKED_BY_THEIR_IMAGE = {"service", "cadvisor", "notebook", "loadtest"}
RUN_ONCE = {"training"}


@pytest.fixture(scope="session")
def configured(compose: Path, tmp_path_factory: pytest.TempPathFactory):
    """Ask Compose what it makes of the files; no engine is needed."""
    nothing = tmp_path_factory.mktemp("env") / "empty"
    nothing.touch()

    def configure(*files: str, **environment: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE_")}
        return subprocess.run(
            [compose, "compose", "--env-file", nothing, *files, "--profile", "*", "config", "--format", "json"],
            cwd=ROOT,
            env={**kept, **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return configure


@pytest.fixture(scope="session")
def platform(configured) -> dict[str, Any]:
    """The platform as it is without any setting but the one that has no default."""
    run = configured("-f", "docker-compose.yml", ADMIN_USER="admin")
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout))


def _published(platform: dict[str, Any]) -> dict[tuple[str, str], str]:
    """List what is published: service and port, and the address."""
    return {
        (name, port["published"]): port.get("host_ip", "every address")
        for name, service in platform["services"].items()
        for port in service.get("ports", [])
    }


def test_only_the_door_publishes_ports_and_only_to_this_machine(platform: dict[str, Any]):
    """Everything else is reached through Caddy, or not at all."""
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
    """BIND_ADDRESS opens the door to others, and a taken port has a replacement."""
    run = configured("-f", "docker-compose.yml", ADMIN_USER="admin", BIND_ADDRESS="10.0.0.1", SERVICE_PORT="8001")
    published = _published(json.loads(run.stdout))

    assert set(published.values()) == {"10.0.0.1"}
    assert ("caddy", "8001") in published


def test_one_address_publishes_web_ports_alone(configured):
    """With SITE_ADDRESS nothing but HTTP and HTTPS is open, and links lead to it."""
    run = configured(*ONE_ADDRESS, ADMIN_USER="admin", SITE_ADDRESS="example.org")
    platform = json.loads(run.stdout)

    published = {port for name, port in _published(platform) if name == "caddy"}
    assert published == {"80", "443"}
    assert "--web.external-url=https://example.org/prometheus/" in platform["services"]["prometheus"]["command"]
    assert "--web.external-url=https://example.org/alertmanager/" in platform["services"]["alertmanager"]["command"]
    assert platform["services"]["grafana"]["environment"]["GF_SERVER_ROOT_URL"] == "https://example.org/grafana/"


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_flags_differ_by_the_address_alone(platform: dict[str, Any], configured, name: str):
    """The files repeat the flags, because Compose replaces lists as a whole."""
    run = configured(*ONE_ADDRESS, ADMIN_USER="admin", SITE_ADDRESS="example.org")
    here = platform["services"][name]["command"]
    there = json.loads(run.stdout)["services"][name]["command"]

    assert [flag.partition("=")[0] for flag in here] == [flag.partition("=")[0] for flag in there]
    assert len(set(here) ^ set(there)) == 2


def test_platform_without_settings_says_what_to_do(configured):
    """Compose alone cannot make passwords."""
    run = configured("-f", "docker-compose.yml")

    assert run.returncode != 0
    assert "make up" in run.stderr


def test_nothing_may_do_more_than_it_must(platform: dict[str, Any]):
    """Read-only, without rights, within limits; logs end, processes are reaped, what dies comes back."""
    for name, service in platform["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name.startswith("caddy") else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name
        assert service["init"] is True, name
        assert service["restart"] == ("no" if name in RUN_ONCE else "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in CHECKED_BY_THEIR_IMAGE | RUN_ONCE), name
        # A name of its own would forbid replicas.
        assert "container_name" not in service, name


def test_only_who_must_reaches_outside(platform: dict[str, Any]):
    """The door, because callers come through it, and Alertmanager, because it tells people."""
    outside = {name for name, service in platform["services"].items() if "edge" in service["networks"]}

    assert outside == {"caddy", "caddy-notebook", "caddy-loadtest", "alertmanager"}
    assert platform["networks"]["inner"]["internal"] is True
    assert all("inner" in service["networks"] for service in platform["services"].values())


def test_begun_predictions_have_time_to_end(platform: dict[str, Any]):
    """The engine waits longer before it kills than Gunicorn does."""
    service = platform["services"]["service"]

    assert service["stop_grace_period"] == "40s"
    assert int(service["environment"]["GRACEFUL_TIMEOUT"]) < 40


def test_versions_are_pinned_in_one_place(platform: dict[str, Any]):
    """Each image of others has its full version, and stands once in the files."""
    text = (ROOT / "docker-compose.yml").read_text() + (ROOT / "docker-compose.site.yml").read_text()
    for name, service in platform["services"].items():
        if "build" in service:
            continue
        assert re.search(r":v?\d+\.\d+\.\d+(-alpine)?$", service["image"]), name
        assert text.count(service["image"]) == 1, name


def test_volumes_keep_what_must_outlive_containers(platform: dict[str, Any]):
    """Numbers, models, records, certificates and dashboards' database lie in named volumes."""
    places = {
        name: {mount["target"] for mount in service["volumes"] if mount["type"] == "volume"}
        for name, service in platform["services"].items()
        if service.get("volumes")
    }

    assert places["service"] == {"/models", "/state", "/records"}
    assert places["training"] == {"/models", "/data", "/records"}
    assert places["prometheus"] == {"/prometheus"}
    assert places["grafana"] == {"/var/lib/grafana"}
    assert "/data" in places["caddy"]
    # The service has no business with writing models, nor a training with writing records.
    for name, place in (("service", "/models"), ("training", "/records")):
        (volume,) = [mount for mount in platform["services"][name]["volumes"] if mount["target"] == place]
        assert volume["read_only"] is True


def test_records_have_their_defaults_in_one_place(platform: dict[str, Any]):
    """What Compose sets, unless it is told otherwise, is what the service does without Compose."""
    environment = platform["services"]["service"]["environment"]
    set_here = {setting.name.upper() for setting in fields(Settings)} & set(environment)
    # Where a container differs: its folders, and what callers are to it.
    set_here -= {"DATABASE_URL", "FEEDBACK_API_KEYS_FILE"}

    assert "RECORD_PREDICTIONS" in set_here
    assert Settings.from_environ({name: environment[name] for name in set_here}) == Settings()


def test_training_reads_the_records_of_the_service(platform: dict[str, Any], configured):
    """Both are told of one database, also where it is PostgreSQL."""
    elsewhere = "postgresql://isowatch:secret@db/isowatch"
    run = configured("-f", "docker-compose.yml", ADMIN_USER="admin", DATABASE_URL=elsewhere)
    for services, address in (
        (platform["services"], "sqlite:////records/records.db"),
        (json.loads(run.stdout)["services"], elsewhere),
    ):
        assert {services[name]["environment"]["DATABASE_URL"] for name in ("service", "training")} == {address}


def test_labels_need_a_key(platform: dict[str, Any]):
    """The service is told of its keys, where Compose puts them."""
    service = platform["services"]["service"]
    (secret,) = service["secrets"]

    assert service["environment"]["FEEDBACK_API_KEYS_FILE"] == f"/run/secrets/{secret['source']}"
    assert platform["secrets"][secret["source"]]["file"] == str(ROOT / "secrets" / FEEDBACK_KEYS)


def test_database_elsewhere_is_reached_with_the_file_that_the_page_shows(configured, tmp_path: Path):
    """Both who write and who read records reach outside, and stay inside as well."""
    page = (ROOT / "docs" / "compose.md").read_text()
    (shown,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    override = tmp_path / "docker-compose.override.yml"
    override.write_text(shown)
    run = configured("-f", "docker-compose.yml", "-f", str(override), ADMIN_USER="admin")
    assert run.returncode == 0, run.stderr

    services = json.loads(run.stdout)["services"]
    for name in ("service", "training"):
        assert set(services[name]["networks"]) == {"inner", "edge"}


def test_every_setting_is_documented():
    """docs/compose.md lists each variable that the files know, and no other."""
    files = [ROOT / "docker-compose.yml", ROOT / "docker-compose.site.yml"]
    known = {name for file in files for name in re.findall(r"(?<!\$)\$\{([A-Z_]+)", file.read_text())}
    listed = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs" / "compose.md").read_text(), re.MULTILINE))

    assert listed == known | {"ADMIN_PASSWORD", "TRAIN"}
